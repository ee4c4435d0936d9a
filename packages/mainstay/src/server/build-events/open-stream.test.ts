import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { expect, onTestFinished, test, vi } from 'vitest'

import { silentLogger } from '../../core/logging.ts'
import { COMPAT_PATH } from '../../events/compat/compat-endpoint.ts'
import { StreamClient } from '../../events/testing/stream-client.ts'
import { loadConfig } from '../config/load.ts'
import { startServer, type RunningServer } from '../start-server.ts'

// Real sockets on a machine that may be busy.
vi.setConfig({ testTimeout: 60_000 })

async function start(overrides: Record<string, unknown> = {}): Promise<RunningServer> {
  const directory = await mkdtemp(join(tmpdir(), 'mainstay-stream-'))
  const config = await loadConfig({
    overrides: {
      'server.listen': '127.0.0.1:0',
      'server.data_dir': directory,
      'server.roles': ['api', 'events'],
      'compute.simulated_hosts': 1,
      'compute.simulated_guests': 1,
      ...overrides,
    },
  })
  const server = await startServer(config, { logger: silentLogger() })
  onTestFinished(async () => {
    await server.stop()
    await rm(directory, { recursive: true })
  })
  return server
}

async function report(url: string): Promise<string> {
  const id = crypto.randomUUID()
  const response = await fetch(`${url}/v1/notifications/baremetal`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      priority: 'INFO',
      event_type: 'baremetal.node.power_set.end',
      timestamp: '2026-11-21T00:00:00',
      publisher_id: 'ironic-conductor.x',
      message_id: id,
      payload: { 'ironic_object.data': { name: 'node-1', uuid: 'u-1', power_state: 'power on' } },
    }),
  })
  expect(response.status).toBe(204)
  return id
}

test('serve streams what it takes in, on every path, and says goodbye before it stops', async () => {
  const server = await start()
  const native = new StreamClient(server.url, {})
  await native.hello()
  const compat = new StreamClient(server.url, { path: COMPAT_PATH })
  await new Promise((resolve) => compat.socket.once('open', resolve))
  const id = await report(server.url)
  await native.until('the event', ({ events }) => events.length === 1)
  await compat.until('the event', ({ events }) => events.length === 1)
  expect(native.events[0]).toMatchObject({ id, n: 1, seq: 1, node_name: 'node-1', resource_id: 'u-1' })
  expect(Object.keys(compat.events[0]!)).toEqual(['id', 'timestamp', 'event_type', 'source', 'node_name', 'data'])
  const ready = await fetch(`${server.url}/health/ready`)
  expect(await ready.json()).toMatchObject({ status: 'ok', checks: { event_stream: 'ok' } })
  const stopping = server.stop()
  expect(await native.untilClosed()).toMatchObject({ code: 1012 })
  expect(await compat.untilClosed()).toMatchObject({ code: 1012 })
  expect(native.control('draining')).toHaveLength(1)
  await stopping
})

test('a process with the role events alone serves the stream, and nothing of the API', async () => {
  const server = await start({ 'server.roles': ['events'], 'events.store': 'memory' })
  const client = new StreamClient(server.url, {})
  await client.hello()
  expect((await fetch(`${server.url}/v1/segments`)).status).toBe(404)
  client.cut()
})

test('a process without that role has no stream', async () => {
  const server = await start({ 'server.roles': ['api'] })
  const client = new StreamClient(server.url, {})
  expect((await client.untilRefused()).status).toBeGreaterThanOrEqual(400)
})
