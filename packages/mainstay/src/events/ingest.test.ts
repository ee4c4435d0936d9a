import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { SystemClock } from '../core/clock.ts'
import { withDeadline } from '../core/deadline.ts'
import { ShutdownError } from '../core/errors.ts'
import { silentLogger } from '../core/logging.ts'
import { Metrics } from '../core/metrics.ts'
import { SystemRandom } from '../core/random.ts'
import { EventLogUnavailableError, EventSpoolFullError } from './errors.ts'
import { EventIngest } from './ingest.ts'
import { IngestMetrics } from './ingest-metrics.ts'
import type { Appended } from './log.ts'
import { MemoryEventLog } from './memory/log.ts'
import { EventSpool } from './spool/spool.ts'
import type { NewStreamEvent } from './stream-event.ts'
import { newEvent, newEvents } from './testing/new-event.ts'

const clock = new SystemClock()
const PATIENCE_MS = 30_000

/** A log whose store goes away and comes back when a test says so, before or after it has stored a batch. */
class MoodyLog extends MemoryEventLog {
  away: false | 'before' | 'after' = false

  override async append(batch: readonly NewStreamEvent[]): Promise<Appended> {
    if (this.away === 'before') throw new EventLogUnavailableError('The store is away.')
    const appended = await super.append(batch)
    if (this.away === 'after') throw new EventLogUnavailableError('The answer was lost.')
    return appended
  }
}

interface Ground extends AsyncDisposable {
  readonly log: MoodyLog
  readonly ingest: EventIngest
  readonly metrics: Metrics
  /** Ends the process and starts another one on the same spool and log. */
  restart(): Promise<EventIngest>
}

async function ground({ maxBytes = 1e9 } = {}): Promise<Ground> {
  const directory = await mkdtemp(join(tmpdir(), 'mainstay-ingest-'))
  const log = new MoodyLog({ clock })
  const opened: EventIngest[] = []
  const metrics = new Metrics()
  const start = async (): Promise<EventIngest> => {
    const spool = await EventSpool.open({ directory: join(directory, 'spool'), logger: silentLogger(), maxBytes })
    const counted = new IngestMetrics(opened.length === 0 ? metrics : new Metrics(), () => spool.bytes)
    const ingest = new EventIngest({
      log,
      spool,
      clock,
      random: new SystemRandom(),
      logger: silentLogger(),
      metrics: counted,
      retryMs: 5,
    })
    opened.push(ingest)
    return ingest
  }
  return {
    log,
    metrics,
    ingest: await start(),
    restart: async () => {
      await opened.at(-1)!.close()
      return await start()
    },
    [Symbol.asyncDispose]: async () => {
      await opened.at(-1)!.close()
      await rm(directory, { recursive: true })
    },
  }
}

async function until(log: MoodyLog, head: number): Promise<void> {
  await withDeadline({ clock, what: `Waiting for ${head} events`, timeoutMs: PATIENCE_MS }, async (signal) => {
    while ((await log.extent()).head < head) await clock.sleep(2, { signal })
  })
}

async function ids(log: MoodyLog): Promise<string[]> {
  return (await log.read({ after: 0, limit: 1e9 })).map(({ id }) => id)
}

describe('taking events in', () => {
  test('R3 resolves when they are in the log, and not before', async () => {
    await using place = await ground()
    const heads: number[] = []
    await Promise.all(
      newEvents(20).map(async (event) => {
        await place.ingest.accept([event])
        heads.push((await place.log.extent()).head)
      }),
    )
    expect(Math.min(...heads)).toBeGreaterThan(0)
    expect(await ids(place.log)).toEqual(newEvents(20).map(({ id }) => id))
  })

  test('R32, E-223 stores no secret', async () => {
    await using place = await ground()
    place.log.away = 'before'
    await place.ingest.accept([newEvent(1, { data: { password: 'hunter2', _context_auth_token: 'hunter2' } })])
    place.log.away = false
    await place.ingest.accept([newEvent(2, { data: { list: [{ secret: 'hunter2' }] } })])
    await until(place.log, 2)
    expect(JSON.stringify(await place.log.read({ after: 0, limit: 10 }))).not.toContain('hunter2')
  })

  test.each(['before', 'after'] as const)(
    'R7 spools while the store is away (%s it stored the batch), then loses none and repeats none, in order',
    async (away) => {
      await using place = await ground()
      await place.ingest.accept(newEvents(3, 'a'))
      place.log.away = away
      for (let index = 0; index < 20; index += 1) {
        expect(await place.ingest.accept(newEvents(3, `b${index}-`))).toMatchObject({ spooled: true })
      }
      expect(place.ingest.trouble).toMatch(/away|lost/)
      expect(await place.metrics.text()).toMatch(/mainstay_events_spool_bytes [1-9]\d+/)
      expect(await place.metrics.text()).toContain('mainstay_events_store_up 0')
      place.log.away = false
      await place.ingest.accept(newEvents(3, 'c'))
      await until(place.log, 66)
      const given = [
        ...newEvents(3, 'a'),
        ...Array.from({ length: 20 }, (_, index) => newEvents(3, `b${index}-`)).flat(),
        ...newEvents(3, 'c'),
      ]
      expect(await ids(place.log)).toEqual(given.map(({ id }) => id))
      expect(place.ingest.trouble).toBeUndefined()
      expect(await place.metrics.text()).toContain('mainstay_events_store_up 1')
    },
  )

  test('R7 carries over what a killed process has spooled, before anything new', async () => {
    await using place = await ground()
    place.log.away = 'before'
    await place.ingest.accept(newEvents(5, 'a'))
    const second = await place.restart()
    expect(await second.accept(newEvents(5, 'b'))).toMatchObject({ spooled: true })
    place.log.away = false
    await until(place.log, 10)
    expect(await ids(place.log)).toEqual([...newEvents(5, 'a'), ...newEvents(5, 'b')].map(({ id }) => id))
  })

  test('R7 refuses when the spool is full, and takes what is brought again', async () => {
    await using place = await ground({ maxBytes: 5000 })
    place.log.away = 'before'
    const accepted: string[] = []
    const refused: NewStreamEvent[] = []
    for (const event of newEvents(50)) {
      await place.ingest.accept([event]).then(
        () => accepted.push(event.id),
        (error: unknown) => {
          expect(error).toBeInstanceOf(EventSpoolFullError)
          refused.push(event)
        },
      )
    }
    expect(refused.length).toBeGreaterThan(20)
    expect(await place.metrics.text()).toContain(`mainstay_events_refused_total ${refused.length}`)
    place.log.away = false
    await until(place.log, accepted.length)
    await place.ingest.accept(refused)
    await until(place.log, 50)
    expect(await ids(place.log)).toEqual([...accepted, ...refused.map(({ id }) => id)])
  })

  test('R7 whenever the store goes and comes, each accepted event is stored once and in order', async () => {
    const mood = fc.constantFrom<MoodyLog['away']>(false, 'before', 'after')
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(mood, fc.nat({ max: 3 }), fc.boolean()), { maxLength: 25 }), async (steps) => {
        await using place = await ground()
        const given: NewStreamEvent[] = []
        const accepting: Promise<unknown>[] = []
        for (const [number, [away, count, wait]] of steps.entries()) {
          place.log.away = away
          const batch = newEvents(count, `${number}-`)
          given.push(...batch)
          accepting.push(place.ingest.accept(batch))
          if (wait) await Promise.all(accepting)
        }
        await Promise.all(accepting)
        place.log.away = false
        await until(place.log, given.length)
        expect(await ids(place.log)).toEqual(given.map(({ id }) => id))
      }),
      { numRuns: 25 },
    )
  })

  test('counts what it did (R38)', async () => {
    await using place = await ground()
    await place.ingest.accept(newEvents(3))
    await place.ingest.accept([...newEvents(2), newEvent('x', { severity: 'error', canonical_service: 'nova' })])
    const text = await place.metrics.text()
    expect(text).toContain('mainstay_events_ingested_total{service="ironic",severity="info"} 3')
    expect(text).toContain('mainstay_events_ingested_total{service="nova",severity="error"} 1')
    expect(text).toContain('mainstay_events_duplicates_total 2')
    expect(text).toContain('mainstay_events_store_head_seq 4')
    expect(text).toContain('mainstay_events_store_append_seconds_count 2')
  })

  test('closed finishes what it has and takes no more', async () => {
    await using place = await ground()
    const last = place.ingest.accept(newEvents(2))
    await Promise.all([last, place.ingest.close()])
    await expect(place.ingest.accept(newEvents(1, 'late'))).rejects.toThrow(ShutdownError)
    expect(await ids(place.log)).toEqual(['id-1', 'id-2'])
  })
})
