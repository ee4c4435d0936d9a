import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { expect, test, vi } from 'vitest'

import { createClient } from '../client/index.ts'
import { receiver } from '../events/webhooks/testing/receiver.ts'
import { loadConfig } from './config/load.ts'
import { startServer } from './start-server.ts'

vi.setConfig({ testTimeout: 60_000 })
const PATIENT = { timeout: 30_000, interval: 10 }

test('E-171 R39 events.openstack.api_url makes a webhook that tells another API of machines, also after a restart', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'mainstay-forwarding-'))
  await using _directory = { [Symbol.asyncDispose]: async () => await rm(directory, { recursive: true, force: true }) }
  await using api = await receiver()
  const start = async () => {
    const overrides = {
      'server.listen': '127.0.0.1:0',
      'server.data_dir': directory,
      'log.level': 'silent',
      'compute.simulated_hosts': 1,
      'compute.simulated_guests': 0,
    }
    return await startServer(
      await loadConfig({ overrides, set: [`events.openstack.api_url=${new URL('/v1/', api.url).href}`] }),
    )
  }
  const report = async (url: string, node: string): Promise<void> => {
    const body = {
      priority: 'INFO',
      event_type: 'baremetal.node.power_set.end',
      timestamp: '2026-01-01T00:00:00Z',
      publisher_id: 'p',
      message_id: `00000000-0000-4000-8000-00000000000${node}`,
      payload: { 'ironic_object.data': { name: node, uuid: 'u', power_state: 'on' } },
    }
    const headers = { 'content-type': 'application/json' }
    const answer = await fetch(`${url}/v1/notifications/baremetal`, {
      method: 'POST',
      headers,
      body: JSON.stringify(body),
    })
    expect(answer.status).toBe(204)
  }
  const told = (): unknown[] =>
    api.deliveries.map(({ path, body }) => {
      const { payload } = JSON.parse(body) as { payload: { 'ironic_object.data': { name: string } } }
      return [path, payload['ironic_object.data'].name]
    })
  const first = await start()
  const client = createClient({ endpoint: first.url })
  await expect.poll(async () => (await client.webhooks.list()).map(({ id }) => id), PATIENT).toEqual(['forwarding'])
  await report(first.url, '1')
  await expect.poll(told, PATIENT).toEqual([['/v1/notifications/baremetal', '1']])
  await first.stop()
  const second = await start()
  await report(second.url, '2')
  await expect.poll(told, PATIENT).toEqual([
    ['/v1/notifications/baremetal', '1'],
    ['/v1/notifications/baremetal', '2'],
  ])
  await second.stop()
})
