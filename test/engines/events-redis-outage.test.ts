import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { Cluster, type ManagedServer } from '@mainstay/testkit'
import { describe, expect, test, type TestContext } from 'vitest'

import { SystemClock } from '../../packages/mainstay/src/core/clock.ts'
import { SystemIds } from '../../packages/mainstay/src/core/ids.ts'
import { silentLogger } from '../../packages/mainstay/src/core/logging.ts'
import { Metrics } from '../../packages/mainstay/src/core/metrics.ts'
import { SystemRandom } from '../../packages/mainstay/src/core/random.ts'
import { IngestMetrics } from '../../packages/mainstay/src/events/ingest-metrics.ts'
import { EventIngest } from '../../packages/mainstay/src/events/ingest.ts'
import { RedisEventLog } from '../../packages/mainstay/src/events/redis/log.ts'
import { SeenFile } from '../../packages/mainstay/src/events/redis/seen-file.ts'
import { EventSpool } from '../../packages/mainstay/src/events/spool/spool.ts'
import { Follower } from '../../packages/mainstay/src/events/testing/follow.ts'
import { newEvent } from '../../packages/mainstay/src/events/testing/new-event.ts'
import { openRedis } from '../../packages/mainstay/src/store/redis/index.ts'
import { need } from '../support/need.ts'

const clock = new SystemClock()
const logger = silentLogger()
const PATIENCE_MS = 60_000

/** What the configuration says by default. */
const RECONNECT_MAX_MS = 3000

/** Deliveries resume within 5 s of the return of Redis; twice that, because the machine of a test may be busy. */
const RESUME_WITHIN_MS = 10_000

/** One node: it takes events in and follows the log. */
class Node implements AsyncDisposable {
  readonly log: RedisEventLog
  readonly ingest: EventIngest
  readonly follower: Follower
  readonly #directory: string

  private constructor(log: RedisEventLog, ingest: EventIngest, follower: Follower, directory: string) {
    this.log = log
    this.ingest = ingest
    this.follower = follower
    this.#directory = directory
  }

  static async start(port: number): Promise<Node> {
    const directory = await mkdtemp(join(tmpdir(), 'mainstay-outage-'))
    const redis = openRedis({ port, clock, random: new SystemRandom(), logger, reconnectMaxMs: RECONNECT_MAX_MS })
    await redis.whenReady({ timeoutMs: PATIENCE_MS })
    const log = new RedisEventLog({ redis, clock, ids: new SystemIds(), logger })
    const spool = await EventSpool.open({ directory, logger })
    const metrics = new IngestMetrics(new Metrics(), () => spool.bytes)
    const ingest = new EventIngest({ log, spool, clock, random: new SystemRandom(), logger, metrics })
    const { epoch } = await log.extent()
    return new Node(log, ingest, new Follower(log, { epoch, seq: 0 }), directory)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.ingest.close()
    await this.follower[Symbol.asyncDispose]()
    await this.log.close()
    await rm(this.#directory, { recursive: true })
  }
}

/** A sender that brings an event to each of the nodes now and then, and remembers those that were accepted. */
class Sender implements AsyncDisposable {
  readonly accepted = new Map<string, string[]>()
  readonly #stopping = new AbortController()
  readonly #running: Promise<unknown>

  constructor(nodes: Readonly<Record<string, Node>>) {
    this.#running = Promise.all(
      Object.entries(nodes).map(async ([name, { ingest }]) => {
        const own: string[] = []
        this.accepted.set(name, own)
        for (let number = 1; !this.#stopping.signal.aborted; number += 1) {
          const event = newEvent(`${name}-${number}`, { atMs: clock.now() })
          await ingest.accept([event])
          own.push(event.id)
          await clock.sleep(20)
        }
      }),
    )
  }

  get all(): string[] {
    return [...this.accepted.values()].flat()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort()
    await this.#running
  }
}

async function withRedis(ctx: TestContext, work: (server: ManagedServer) => Promise<void>): Promise<void> {
  need(ctx, { program: 'redis-server', package: 'redis-server' })
  await using cluster = await Cluster.create({ name: 'events-outage' })
  const server = cluster.component('redis')
  await server.start()
  await work(server)
}

describe.concurrent('E-204 Redis is away', { timeout: 240_000 }, () => {
  test.for([
    ['1 s, killed', 1000, 'kill'],
    ['8 s, restarted', 8000, 'stop'],
    ['60 s, killed', 60_000, 'kill'],
  ] as const)(
    'for %s: nothing is lost, nothing is told twice, and it goes on by itself',
    async ([, outageMs, how], ctx) => {
      await withRedis(ctx, async (server) => {
        await using here = await Node.start(server.port)
        await using there = await Node.start(server.port)
        const { epoch } = await here.log.extent()
        const sender = new Sender({ here, there })
        await here.follower.until('events of both', ({ events }) => events.length >= 20)
        await server[how]()
        // The time that Redis is away is what the test is about.
        await clock.sleep(outageMs)
        expect(here.ingest.trouble).toMatch(/away/)
        await server.start()
        const returned = clock.monotonic()
        const delivered = Math.max(here.follower.events.length, there.follower.events.length)
        await here.follower.until('deliveries go on', ({ events }) => events.length > delivered)
        expect(clock.monotonic() - returned).toBeLessThan(RESUME_WITHIN_MS)
        await sender[Symbol.asyncDispose]()
        const { all } = sender
        expect(all.length).toBeGreaterThan(20)
        for (const { follower } of [here, there]) {
          await follower.until('every event', ({ events }) => events.length >= all.length)
          expect(follower.events.map(({ seq }) => seq)).toEqual(all.map((_, index) => index + 1))
          expect(follower.news.filter(({ kind }) => kind === 'epoch')).toEqual([])
          expect(new Set(follower.events.map((event) => event.epoch))).toEqual(new Set([epoch]))
          for (const [name, ids] of sender.accepted) {
            const of = (id: string): boolean => id.startsWith(`id-${name}-`)
            expect(follower.events.map(({ id }) => id).filter(of)).toEqual(ids)
          }
        }
      })
    },
  )
})

/** Ways to lose everything. */
const WIPES: readonly [how: string, wipe: (server: ManagedServer) => Promise<void>][] = [
  ['wiped under the nodes', async (server) => void (await server.sql('FLUSHALL'))],
  [
    'wiped while it was away',
    async (server) => {
      await server.kill()
      const { dataDir } = server.folders
      for (const name of await readdir(dataDir)) await rm(join(dataDir, name), { recursive: true })
      await server.start()
    },
  ],
]

describe.concurrent('E-205 Redis has lost its history', { timeout: 120_000 }, () => {
  test.for(WIPES)(
    '%s: a new epoch, which everybody is told of, and no event of it is missed',
    async ([, wipe], ctx) => {
      await withRedis(ctx, async (server) => {
        await using here = await Node.start(server.port)
        await using there = await Node.start(server.port)
        const { epoch } = await here.log.extent()
        await here.ingest.accept(Array.from({ length: 10 }, (_, number) => newEvent(`before-${number}`)))
        for (const { follower } of [here, there])
          await follower.until('ten events', ({ events }) => events.length === 10)
        await wipe(server)
        for (const { follower } of [here, there]) {
          await follower.until('the new epoch', ({ news }) => news.some(({ kind }) => kind === 'epoch'))
        }
        await there.ingest.accept([newEvent('after')])
        for (const { log, follower } of [here, there]) {
          await follower.until('the new event', ({ events }) => events.length === 11)
          const last = follower.events.at(-1)!
          expect(last).toMatchObject({ id: 'id-after', seq: 1 })
          expect(last.epoch).not.toBe(epoch)
          expect((await log.extent()).epoch).toBe(last.epoch)
          expect(follower.news.filter(({ kind }) => kind === 'epoch')).toHaveLength(1)
        }
      })
    },
  )

  test('R6 an older copy was restored: a new epoch, although the log is not empty', async (ctx) => {
    await withRedis(ctx, async (server) => {
      await using here = await Node.start(server.port)
      await here.ingest.accept(Array.from({ length: 5 }, (_, number) => newEvent(`kept-${number}`)))
      await copy(server, '', 'backup-')
      await here.ingest.accept(Array.from({ length: 5 }, (_, number) => newEvent(`lost-${number}`)))
      await here.follower.until('ten events', ({ events }) => events.length === 10)
      const { epoch } = await here.log.extent()
      await copy(server, 'backup-', '')
      await here.follower.until('the new epoch', ({ news }) => news.some(({ kind }) => kind === 'epoch'))
      await here.ingest.accept([newEvent('lost-0'), newEvent('kept-0'), newEvent('new')])
      await here.follower.until('all of it', ({ events }) => events.length === 17)
      const after = await here.log.extent()
      expect(after).toMatchObject({ oldest: 1, head: 7 })
      expect(after.epoch).not.toBe(epoch)
      expect(here.follower.events.slice(10).map(({ seq, id }) => `${seq} ${id}`)).toEqual([
        ...[0, 1, 2, 3, 4].map((number) => `${number + 1} id-kept-${number}`),
        '6 id-lost-0',
        '7 id-new',
      ])
    })
  })

  test('R6 an older copy was restored while no node was running: noticed by the first that starts again', async (ctx) => {
    await withRedis(ctx, async (server) => {
      const directory = await mkdtemp(join(tmpdir(), 'mainstay-seen-'))
      const open = async (): Promise<RedisEventLog> => {
        const redis = openRedis({ port: server.port, clock, random: new SystemRandom(), logger })
        await redis.whenReady({ timeoutMs: PATIENCE_MS })
        const seenFile = new SeenFile(join(directory, 'seen.json'), { clock, logger })
        return new RedisEventLog({ redis, clock, ids: new SystemIds(), logger, seenFile })
      }
      const first = await open()
      await first.append([newEvent('kept')])
      await copy(server, '', 'backup-')
      await first.append([newEvent('lost')])
      const { epoch } = await first.extent()
      await first.close()

      const same = await open()
      expect(await same.extent()).toEqual({ epoch, oldest: 1, head: 2 })
      await same.close()

      await copy(server, 'backup-', '')
      const second = await open()
      const { events } = await second.append([newEvent('new')])
      expect(events[0]).toMatchObject({ seq: 2, id: 'id-new' })
      expect(events[0]!.epoch).not.toBe(epoch)
      await second.close()
      await rm(directory, { recursive: true })
    })
  })

  test('R6 an older copy was restored and written on by a node that knew no better: noticed by the one that did', async (ctx) => {
    await withRedis(ctx, async (server) => {
      await using here = await Node.start(server.port)
      await here.ingest.accept([newEvent('kept')])
      await copy(server, '', 'backup-')
      await here.ingest.accept([newEvent('lost-1'), newEvent('lost-2')])
      await here.follower.until('three events', ({ events }) => events.length === 3)
      const { epoch } = await here.log.extent()
      const stranger = openRedis({ port: server.port, clock, random: new SystemRandom(), logger })
      await stranger.whenReady({ timeoutMs: PATIENCE_MS })
      // In one transaction, so that the node cannot look between the two.
      const restored = KEYS.map((key) => `redis.call('COPY', 'backup-${key}', '${key}', 'REPLACE')`).join('\n')
      const source = `${restored}
        for seq = 2, 4 do redis.call('XADD', '${KEYS[0]}', seq .. '-0', 'e', '{}', 'i', 'other-' .. seq, 'a', '1', 'p', '${epoch}') end
        redis.call('HSET', '${KEYS[1]}', 'head', '4')`
      await stranger.runScript({ name: 'rewrite', source, sha1: '0'.repeat(40) }, [], [])
      await stranger.close()
      await here.follower.until('the new epoch', ({ news }) => news.some(({ kind }) => kind === 'epoch'))
      expect((await here.log.extent()).epoch).not.toBe(epoch)
    })
  })
})

const KEYS = ['log', 'state', 'seen', 'ids'].map((name) => `{mainstay:events}:${name}`)

/** Copies all keys of the log; those that are not there in the copy are not there afterwards. */
async function copy(server: ManagedServer, from: string, to: string): Promise<void> {
  for (const key of KEYS) await server.sql(`COPY ${from}${key} ${to}${key} REPLACE`)
}
