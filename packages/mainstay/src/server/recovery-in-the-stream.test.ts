import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { expect, test, vi } from 'vitest'

import { createClient, type MainstayClient } from '../client/index.ts'
import { SystemClock } from '../core/clock.ts'
import { withDeadline } from '../core/deadline.ts'
import { SystemIds } from '../core/ids.ts'
import { createLogger, silentLogger } from '../core/logging.ts'
import { SqliteEventLog } from '../events/sqlite/log.ts'
import type { StreamEvent } from '../events/stream-event.ts'
import { loadConfig } from './config/load.ts'
import { startServer, type RunningServer } from './start-server.ts'

vi.setConfig({ testTimeout: 60_000 })

const clock = new SystemClock()
const STOPPED = { event: 'STOPPED', host_status: 'NORMAL', cluster_status: 'OFFLINE' }
const FAST = ['start', 'evacuate', 'power'].map((what) => `compute.simulated_${what}_ms=10`)

async function scratch(): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'mainstay-stream-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) }
}

async function serve(directory: string, set: readonly string[] = [], logger = silentLogger()): Promise<RunningServer> {
  const own = ['server.listen=127.0.0.1:0', `server.data_dir=${directory}`, 'compute.simulated_hosts=4', ...FAST]
  return await startServer(await loadConfig({ set: [...own, ...set] }), { logger })
}

async function recoverHost(client: MainstayClient, server: RunningServer): Promise<string> {
  const segment = await client.segments.create({ name: 's1', recovery_method: 'auto', service_type: 'COMPUTE' })
  for (const name of ['host-001', 'host-002', 'host-003']) {
    await client.hosts.create(segment.uuid, { name, type: 'COMPUTE', control_attributes: 'SSH' })
  }
  server.compute.simulated!.fleet.killHost('host-001')
  const { notification_uuid: id } = await client.notifications.create({
    type: 'COMPUTE_HOST',
    hostname: 'host-001',
    generated_time: '2026-01-01T00:00:00Z',
    payload: STOPPED,
  })
  await withDeadline({ clock, what: 'The recovery', timeoutMs: 45_000 }, async (signal) => {
    while ((await client.recoveries.show(id, { signal })).finishedAt === null) await clock.sleep(20, { signal })
  })
  return id
}

/** What the log of a server that has ended holds. */
async function storedEvents(directory: string): Promise<readonly StreamEvent[]> {
  const path = join(directory, 'events.db')
  const log = await SqliteEventLog.open({ path, clock, ids: new SystemIds(), logger: silentLogger() })
  const events = await log.read({ after: 0, limit: 10_000 })
  await log.close()
  return events
}

test('a recovery is in the stream, every step of it once and in order, beside what the API did', async () => {
  await using place = await scratch()
  const server = await serve(place.path)
  const client = createClient({ endpoint: server.url })
  const id = await recoverHost(client, server)
  const { steps, decisions } = await client.recoveries.show(id)
  await server.stop()
  // What was committed in the last moments waits in the outbox for the next start.
  await (await serve(place.path)).stop()

  const events = await storedEvents(place.path)
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1))
  const types = events.map((event) => event.event_type)
  const created = ['host.create.start', 'host.create.end']
  const all = ['segment.create.start', 'segment.create.end', ...created, ...created, ...created]
  expect(types.slice(0, 8)).toEqual(all)
  const told = (kind: string): string[] => types.filter((type) => type.startsWith(kind))
  expect(told('notification.process')).toEqual(['notification.process.start', 'notification.process.end'])
  expect(told('host.update')).toEqual(['host.update.start', 'host.update.end'])
  expect(types).toContain('notification.create.end')

  const recovery = events.filter((event) => event.resource_id === id && event.service_type === 'recovery')
  expect(recovery.at(-1)).toMatchObject({ event_type: 'recovery.ended', data: { status: 'finished' } })
  const numbers = recovery.slice(0, -1).map((event) => Number(event.source_event_id.split('/')[1]))
  expect(numbers).toEqual(numbers.toSorted((a, b) => a - b))
  expect(new Set(numbers).size).toBe(numbers.length)
  const keys = (type: string): unknown[] =>
    recovery.filter((event) => event.event_type === type).map((event) => event.data['key'])
  const acts = steps.filter(({ kind }) => kind === 'act').map(({ key }) => key)
  expect(new Set(keys('recovery.step.started'))).toEqual(new Set(acts))
  expect(keys('recovery.step.started')).toHaveLength(acts.length)
  expect(keys('recovery.decided')).toHaveLength(decisions.length)
  expect(recovery[0]).toMatchObject({ source: 'mainstay', node_name: 'host-001', canonical_service: 'mainstay' })
})

test('a damaged log is set aside, said aloud, and the stream begins anew; the rest of the program runs', async () => {
  await using place = await scratch()
  await (await serve(place.path)).stop()
  await writeFile(join(place.path, 'events.db'), 'a shopping list, not a database\n'.repeat(300))
  const lines: string[] = []
  const logger = createLogger({
    level: 'error',
    format: 'json',
    destination: { write: (line) => void lines.push(line) },
  })
  const server = await serve(place.path, [], logger)
  expect(lines.join('')).toMatch(/damaged and was set aside as .*events\.db\.damaged-\d+\. The stream begins anew/)
  const [, aside = ''] = /set aside as (\S+)\. The stream/.exec(lines.join('')) ?? []
  expect(await readFile(aside, 'utf8')).toContain('a shopping list')
  expect((await fetch(`${server.url}/health/ready`)).status).toBe(200)
  await server.stop()
})

test('R8 whether the log takes events is on /health/ready: by default it counts, otherwise it is only told', async () => {
  await using place = await scratch()
  const nobody = 'events.redis_url=redis://127.0.0.1:1/0'
  const states = []
  for (const needed of [true, false]) {
    const server = await serve(place.path, ['events.store=redis', nobody, `events.needed_for_ready=${needed}`])
    const response = await fetch(`${server.url}/health/ready`)
    states.push([response.status, await response.json()])
    await server.stop()
  }
  const said = { store: 'ok', events: expect.stringMatching(/Redis at redis:\/\/127\.0\.0\.1:1\/0 cannot be reached/) }
  expect(states).toEqual([
    [503, { status: 'not ready', checks: expect.objectContaining(said) }],
    [200, { status: 'ok', checks: expect.objectContaining(said) }],
  ])
})

test('a process without the role leaves events to others', async () => {
  await using place = await scratch()
  const first = await serve(place.path, ["server.roles=['api']"])
  const client = createClient({ endpoint: first.url })
  await client.segments.create({ name: 's1', recovery_method: 'auto', service_type: 'COMPUTE' })
  await first.stop()
  const second = await serve(place.path, ["server.roles=['api', 'events']", 'events.outbox_poll_ms=10'])
  await createClient({ endpoint: second.url }).segments.create({
    name: 's2',
    recovery_method: 'auto',
    service_type: 'COMPUTE',
  })
  const metric = async (): Promise<string> => await (await fetch(`${second.url}/metrics`)).text()
  await withDeadline({ clock, what: 'Four events', timeoutMs: 30_000 }, async (signal) => {
    while (!(await metric()).includes('mainstay_events_store_head_seq 4')) await clock.sleep(10, { signal })
  })
  await second.stop()
  expect((await storedEvents(place.path)).map(({ data }) => data['name'])).toEqual(['s1', 's1', 's2', 's2'])
})
