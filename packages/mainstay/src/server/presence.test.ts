import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeEach, expect, test, vi } from 'vitest'

import { createClient, openEventStream } from '../client/index.ts'
import { loadConfig } from './config/load.ts'
import { startServer } from './start-server.ts'

vi.setConfig({ testTimeout: 60_000 })
const PATIENT = { timeout: 30_000, interval: 10 }

let directory: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mainstay-presence-'))
})

afterEach(async () => {
  await rm(directory, { recursive: true, force: true })
})

/** What the stream says of those who come and go while somebody comes and goes. */
async function comings(presence: boolean): Promise<unknown[]> {
  const overrides = {
    'server.listen': '127.0.0.1:0',
    'server.data_dir': directory,
    'log.level': 'silent',
    'events.store': 'memory',
    'compute.simulated_hosts': 1,
    'compute.simulated_guests': 0,
  }
  const server = await startServer(await loadConfig({ set: [`events.stream.presence=${presence}`], overrides }))
  try {
    const client = createClient({ endpoint: server.url })
    for (const transport of ['websocket', 'sse'] as const) {
      await using stream = openEventStream({ endpoint: server.url, transport, onEvent: () => undefined })
      await expect.poll(() => stream.state.name, PATIENT).toBe('open')
      expect(await client.events.connections()).toMatchObject([{ transport, address: '127.0.0.1', since: 'latest' }])
      await stream.close()
      await expect.poll(async () => await client.events.connections(), PATIENT).toEqual([])
    }
    const filters = { event_filters: ['mainstay.stream.*'] }
    const expected = presence ? 4 : 0
    const said = async () => await Array.fromAsync(client.events.history({ filters }))
    await expect.poll(async () => (await said()).length, PATIENT).toBe(expected)
    return (await said()).map(({ event_type: type, resource_id: connection, data }) => ({ type, connection, data }))
  } finally {
    await server.stop()
  }
}

test('R37 who begins and ends to listen is an event, where that is wanted', async () => {
  const said = await comings(true)
  const data = { address: '127.0.0.1', since: 'latest', principal: null }
  expect(said).toMatchObject([
    { type: 'mainstay.stream.connected', data },
    { type: 'mainstay.stream.disconnected', data },
    { type: 'mainstay.stream.connected', data },
    { type: 'mainstay.stream.disconnected', data },
  ])
  const connections = said.map((each) => (each as { connection: string }).connection)
  expect(new Set(connections).size).toBe(2)
})

test('R37 it is not, unless that is wanted', async () => {
  expect(await comings(false)).toEqual([])
})
