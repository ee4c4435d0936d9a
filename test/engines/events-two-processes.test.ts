import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { Cluster, type ManagedServer } from '@mainstay/testkit'
import { serveSpec } from 'mainstay/testkit'
import { expect, test } from 'vitest'

import { createClient } from '../../packages/mainstay/src/client/index.ts'
import { SystemClock } from '../../packages/mainstay/src/core/clock.ts'
import { withDeadline } from '../../packages/mainstay/src/core/deadline.ts'
import { SystemIds } from '../../packages/mainstay/src/core/ids.ts'
import { silentLogger } from '../../packages/mainstay/src/core/logging.ts'
import { SystemRandom } from '../../packages/mainstay/src/core/random.ts'
import { RedisEventLog } from '../../packages/mainstay/src/events/redis/log.ts'
import { Follower } from '../../packages/mainstay/src/events/testing/follow.ts'
import { check, type CheckResult } from '../../packages/mainstay/src/server/index.ts'
import { openRedis } from '../../packages/mainstay/src/store/redis/index.ts'
import { need } from '../support/need.ts'
import { PrivatePostgres, needPostgres } from './support/private-postgres.ts'

const clock = new SystemClock()
const logger = silentLogger()
const PATIENCE_MS = 60_000
type Roles = ('api' | 'engine' | 'events')[]

const STOPPED = { event: 'STOPPED', host_status: 'NORMAL', cluster_status: 'OFFLINE' }
const COMPUTE = {
  simulated_hosts: 4,
  simulated_guests: 12,
  simulated_start_ms: 10,
  simulated_evacuate_ms: 10,
  simulated_power_ms: 10,
}

test(
  'one process recovers, others stream: on PostgreSQL and Redis each step is in the log once, in order, whatever ends',
  { timeout: 180_000 },
  async (ctx) => {
    needPostgres(ctx)
    need(ctx, { program: 'redis-server', package: 'redis-server' })
    await using postgres = await PrivatePostgres.start()
    await using cluster = await Cluster.create({ name: 'events-two-processes' })
    const redis = cluster.component('redis')
    await redis.start()
    const config = {
      compute: COMPUTE,
      store: { url: await postgres.createDatabase() },
      events: { store: 'redis', redis_url: `redis://127.0.0.1:${redis.port}/0`, outbox_poll_ms: 20 },
    }
    const serve = async (name: string, ...roles: Roles): Promise<ManagedServer> => {
      const server = cluster.add(serveSpec({ name, roles, config, dependsOn: ['redis'] }))
      await server.start()
      return server
    }
    const connection = openRedis({ port: redis.port, clock, logger, random: new SystemRandom() })
    await connection.whenReady({ timeoutMs: PATIENCE_MS })
    const log = new RedisEventLog({ redis: connection, clock, ids: new SystemIds(), logger })
    try {
      const worker = await serve('worker', 'api', 'engine')
      const streams = [await serve('stream-1', 'events'), await serve('stream-2', 'events')]
      const { epoch } = await log.extent()
      await using follower = new Follower(log, { epoch, seq: 0 })
      const client = createClient({ endpoint: worker.url })
      const segment = await client.segments.create({ name: 's1', recovery_method: 'auto', service_type: 'COMPUTE' })
      for (const name of ['host-001', 'host-002', 'host-003']) {
        await client.hosts.create(segment.uuid, { name, type: 'COMPUTE', control_attributes: 'SSH' })
      }
      const death = `${worker.url}/api/v1/simulation/hosts/host-001/kill`
      expect((await fetch(death, { method: 'POST' })).status).toBe(200)
      const report = {
        type: 'COMPUTE_HOST',
        hostname: 'host-001',
        generated_time: '2026-01-01T00:00:00Z',
        payload: STOPPED,
      } as const
      const { notification_uuid: id } = await client.notifications.create(report)
      await follower.until('the first step', ({ events }) =>
        events.some((event) => event.event_type.startsWith('recovery.')),
      )
      // One of those that stream ends, and Redis is restarted, in the middle of it.
      await streams[0]!.stop()
      await redis.restart()
      await withDeadline({ clock, what: 'The recovery', timeoutMs: PATIENCE_MS }, async (signal) => {
        while ((await client.recoveries.show(id, { signal })).finishedAt === null) await clock.sleep(20, { signal })
      })
      await follower.until('its end', ({ events }) => events.some((event) => event.event_type === 'recovery.ended'))

      expect(follower.events.map(({ seq }) => seq)).toEqual(follower.events.map((_, index) => index + 1))
      const steps = follower.events.filter((event) => event.source_event_id.startsWith(`${id}/`))
      const numbers = steps.map((event) => event.data['entry'] as number)
      expect(new Set(numbers).size).toBe(numbers.length)
      // Guests are evacuated side by side: what is done for one of them, and what is done for all, has an order.
      const branches = Map.groupBy(steps, (event) => /[0-9a-f]{8}-[0-9a-f-]{27}/.exec(event.data['key'] as string)?.[0])
      expect(branches.size).toBeGreaterThan(2)
      for (const branch of branches.values()) {
        const own = branch.map((event) => event.data['entry'] as number)
        expect(own).toEqual(own.toSorted((x, y) => x - y))
      }
      const { steps: shown } = await client.recoveries.show(id)
      const acts = shown.filter(({ kind }) => kind === 'act')
      expect(steps.filter((event) => event.event_type === 'recovery.step.started')).toHaveLength(acts.length)
      expect(follower.events.at(-1)).toMatchObject({ event_type: 'recovery.ended', resource_id: id })
    } finally {
      await log.close()
    }
  },
)

test('check says what it thinks of the Redis of the event log', async (ctx) => {
  need(ctx, { program: 'redis-server', package: 'redis-server' })
  await using cluster = await Cluster.create({ name: 'events-check' })
  const redis = cluster.component('redis')
  await redis.start()
  const directory = await mkdtemp(join(tmpdir(), 'mainstay-check-'))
  const look = async (): Promise<CheckResult | undefined> => {
    const set = [
      `server.data_dir=${directory}`,
      'events.store=redis',
      `events.redis_url=redis://127.0.0.1:${redis.port}`,
    ]
    const results: CheckResult[] = []
    for await (const result of check({ set, env: {}, signal: AbortSignal.timeout(PATIENCE_MS) })) results.push(result)
    return results.find(({ name }) => name === 'event log (redis)')
  }
  expect(await look()).toMatchObject({
    ok: true,
    text: expect.stringMatching(/Redis \d+\.\d+\.\d+, which keeps its data/),
  })
  await redis.sql('CONFIG SET maxmemory-policy allkeys-lru')
  expect(await look()).toMatchObject({ ok: true, text: expect.stringContaining('may drop events to save memory') })
  await redis.stop()
  expect(await look()).toMatchObject({
    ok: false,
    text: expect.stringContaining('cannot be reached'),
    remedy: expect.anything(),
  })
  await rm(directory, { recursive: true })
})
