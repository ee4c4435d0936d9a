import * as fc from 'fast-check'
import { describe, expect, test, type TestContext } from 'vitest'

import { ShutdownError } from '../core/errors.ts'
import { parseJson, toJson } from '../core/json.ts'
import type { EventLog, TailPosition } from './log.ts'
import type { RepeatWindow, RetentionOptions } from './retention.ts'
import { eventJson } from './stored-event.ts'
import type { NewStreamEvent, StreamEvent } from './stream-event.ts'
import { Follower } from './testing/follow.ts'
import { newEvent, newEvents } from './testing/new-event.ts'
import { ShiftableClock } from './testing/shiftable-clock.ts'

export interface OpenLogOptions {
  readonly clock: ShiftableClock
  readonly retention?: RetentionOptions
  readonly repeats?: RepeatWindow
}

/** A fresh, empty store for one test. */
export interface EventLogPlace extends AsyncDisposable {
  /** Opens the log once more, as another node would; as the same node after a restart where there can be only one. */
  open(options: OpenLogOptions): Promise<EventLog>
  /** Destroys what is stored. `open` logs must notice where the store can be wiped under them. */
  wipe(): Promise<void>
}

export interface LogTraits {
  /** Whether several nodes share the store; otherwise a second log is opened only after the first was closed. */
  readonly shared: boolean
  /** Whether what is stored outlives the last log that is closed. */
  readonly durable: boolean
}

/** Makes a store; may skip the test when this machine lacks what it takes. */
export type EventLogFactory = (ctx: TestContext) => Promise<EventLogPlace>

const DAY_MS = 24 * 3_600_000
const EVERYTHING: RetentionOptions = { maxAgeMs: 1000 * DAY_MS, maxEvents: 1e9, maxBytes: 1e12 }

/** What every event log does (event-stream.md R1 … R6). Each driver runs it. */
export function eventLogConformance(name: string, traits: LogTraits, factory: EventLogFactory): void {
  interface Ground {
    readonly log: EventLog
    readonly place: EventLogPlace
    readonly clock: ShiftableClock
    /** Events as {@link newEvents}, taken in now. */
    readonly fresh: (count: number, prefix?: string) => NewStreamEvent[]
  }

  /** The body of a test on an empty store with one open log. */
  function on(
    run: (ground: Ground) => Promise<void>,
    options: Omit<OpenLogOptions, 'clock'> = {},
  ): (ctx: TestContext) => Promise<void> {
    return async (ctx) => {
      await using place = await factory(ctx)
      const clock = new ShiftableClock()
      const log = await place.open({ clock, ...options })
      const fresh = (count: number, prefix = ''): NewStreamEvent[] => newEvents(count, prefix, { atMs: clock.now() })
      try {
        await run({ log, place, clock, fresh })
      } finally {
        await log.close()
      }
    }
  }

  describe(`${name}: places`, () => {
    test(
      'R1 an empty log says so, with an epoch of its own',
      on(async ({ log }) => {
        const extent = await log.extent()
        expect(extent).toEqual({ epoch: expect.stringMatching(/^[\w-]{8,}$/), oldest: 1, head: 0 })
        await expect(log.read({ after: 0, limit: 10 })).resolves.toEqual([])
        await expect(log.readBack({ before: 1, limit: 10 })).resolves.toEqual([])
        await expect(log.find('id-1')).resolves.toBeNull()
      }),
    )

    test(
      'R1 begin at 1 and grow by exactly 1, over batches of any size, also of none',
      on(async ({ log, fresh }) => {
        const first = await log.append(fresh(3, 'a'))
        await expect(log.append([])).resolves.toEqual({ events: [], duplicates: 0 })
        const second = await log.append(fresh(700, 'b'))
        expect(places([...first.events, ...second.events])).toEqual(upTo(703))
        const { epoch, head, oldest } = await log.extent()
        expect({ head, oldest }).toEqual({ head: 703, oldest: 1 })
        expect(first.events[1]).toMatchObject({ seq: 2, epoch, cursor: `${epoch}:2`, id: 'id-a2' })
      }),
    )

    test(
      'R1 have no gap and no repeat when many append at once, and a batch stays together in its order',
      on(async ({ log, fresh }) => {
        const batches = Array.from({ length: 40 }, (_, index) => fresh(1 + (index % 7), `${index}-`))
        const appended = await Promise.all(batches.map((batch) => log.append(batch)))
        const count = batches.flat().length
        expect(appended.flatMap(({ events }) => places(events)).sort((a, b) => a - b)).toEqual(upTo(count))
        for (const [index, { events }] of appended.entries()) {
          expect(events.map(({ id }) => id)).toEqual(batches[index]!.map(({ id }) => id))
          expect(places(events)).toEqual(upTo(events.length, events[0]!.seq - 1))
        }
        expect(places(await log.read({ after: 0, limit: count + 10 }))).toEqual(upTo(count))
      }),
    )

    test(
      'R2 an event comes back as it was given, from wherever it is read',
      on(async ({ log, clock }) => {
        const given = newEvent('ü 🚀 "q" \\ \n \u2028', {
          atMs: clock.now(),
          data: { deep: [{ a: null, 'x.y': 1.5, b: false, t: 'ü🚀\u0000\u2029' }], big: 2 ** 53 - 1 },
          node_name: '',
          project_id: 'p-1',
          resource_id: null,
          severity: 'critical',
        })
        const { events } = await log.append([given])
        const { epoch } = await log.extent()
        const whole = { ...given, seq: 1, epoch, cursor: `${epoch}:1` }
        const read = [
          events[0]!,
          ...(await log.read({ after: 0, limit: 1 })),
          ...(await log.readBack({ before: 2, limit: 1 })),
          (await log.find(given.id))!,
        ]
        for (const event of read) {
          expect(parseJson(eventJson(event), 'an event')).toEqual(whole)
          expect(parseJson(toJson(event), 'an event')).toEqual(whole)
          expect(event).toMatchObject({ node_name: '', data: given.data, severity: 'critical', resource_id: null })
        }
        expect(eventJson(events[0]!)).not.toContain('\n')
      }),
    )

    test(
      'R1 a large event is kept whole',
      on(async ({ log, clock }) => {
        const text = 'é'.repeat(400_000)
        await log.append([newEvent('big', { atMs: clock.now(), data: { text } }), newEvent('after')])
        const [big] = await log.read({ after: 0, limit: 1 })
        expect(big!.data).toEqual({ text })
      }),
    )
  })

  describe(`${name}: reading`, () => {
    test(
      'R4 in pages, forwards and backwards, from any place',
      on(async ({ log, fresh }) => {
        await log.append(fresh(25))
        expect(places(await log.read({ after: 0, limit: 10 }))).toEqual(upTo(10))
        expect(places(await log.read({ after: 20, limit: 10 }))).toEqual([21, 22, 23, 24, 25])
        expect(places(await log.read({ after: 25, limit: 10 }))).toEqual([])
        expect(places(await log.read({ after: 2 ** 52, limit: 10 }))).toEqual([])
        expect(places(await log.readBack({ before: 26, limit: 3 }))).toEqual([25, 24, 23])
        expect(places(await log.readBack({ before: 3, limit: 10 }))).toEqual([2, 1])
        expect(places(await log.readBack({ before: 2 ** 53 - 1, limit: 2 }))).toEqual([25, 24])
      }),
    )

    test(
      'R4 one event by its id',
      on(async ({ log, fresh }) => {
        await log.append(fresh(5))
        expect((await log.find('id-4'))!.seq).toBe(4)
        await expect(log.find('id-6')).resolves.toBeNull()
        await expect(log.find('source-4')).resolves.toBeNull()
      }),
    )

    test(
      'R4 the place before a time, also when the clock of the sender was set back',
      on(async ({ log, clock }) => {
        const start = clock.now()
        const offsets = [0, 10, 10, 5, 20, 40]
        await log.append(offsets.map((offset, index) => newEvent(index + 1, { atMs: start + offset })))
        const cases = [
          [-1, 0],
          [0, 0],
          [1, 1],
          [10, 1],
          [11, 4],
          [20, 4],
          [40, 5],
          [41, 6],
        ] as const
        for (const [offset, expected] of cases) {
          await expect(log.seqBefore({ epochMs: start + offset }), `at ${offset}`).resolves.toBe(expected)
        }
      }),
    )

    test(
      'R4 is given up when asked to',
      on(async ({ log, fresh }) => {
        await log.append(fresh(1))
        const signal = AbortSignal.abort(new Error('no longer wanted'))
        await expect(log.append(fresh(1, 'late'), { signal })).rejects.toThrow('no longer wanted')
        expect((await log.extent()).head).toBe(1)
      }),
    )
  })

  describe(`${name}: repeats`, () => {
    test(
      'E-219 of a source id are dropped and counted, within a batch and across batches, and take no place',
      on(async ({ log, fresh }) => {
        const [one, two, three] = fresh(3)
        const first = await log.append([one!, two!, one!])
        expect([places(first.events), first.duplicates]).toEqual([[1, 2], 1])
        const second = await log.append([two!, three!, one!])
        expect([places(second.events), second.duplicates]).toEqual([[3], 2])
        const third = await log.append([one!, two!])
        expect([third.events, third.duplicates]).toEqual([[], 2])
        expect((await log.read({ after: 0, limit: 10 })).map(({ id }) => id)).toEqual(['id-1', 'id-2', 'id-3'])
      }),
    )

    test(
      'R3 of the same batch by several at once are kept once',
      on(async ({ log, fresh }) => {
        const batch = fresh(20)
        const appended = await Promise.all(Array.from({ length: 8 }, () => log.append(batch)))
        expect(appended.reduce((sum, { duplicates }) => sum + duplicates, 0)).toBe(7 * 20)
        expect(places(await log.read({ after: 0, limit: 1000 }))).toEqual(upTo(20))
      }),
    )

    test(
      'R3 are recognised for as long as the window says',
      on(
        async ({ log, clock, fresh }) => {
          const [event] = fresh(1)
          await log.append([event!])
          clock.shift(DAY_MS - 60_000)
          expect((await log.append([event!])).duplicates).toBe(1)
          clock.shift(61_000)
          expect((await log.append([event!])).events).toHaveLength(1)
        },
        { retention: EVERYTHING },
      ),
    )

    test(
      'R3 are recognised among as many events as the window says, the retention notwithstanding',
      on(
        async ({ log, clock, fresh }) => {
          const [event, ...others] = fresh(11)
          await log.append([event!, ...others.slice(0, 9)])
          clock.shift(1)
          await log.trim()
          expect((await log.append([event!])).duplicates).toBe(1)
          await log.append(others.slice(9))
          const again = await log.append([event!, others[1]!])
          expect([again.events.map(({ id }) => id), again.duplicates]).toEqual([['id-1'], 1])
        },
        { repeats: { ms: DAY_MS, events: 10 }, retention: { ...EVERYTHING, maxEvents: 2 } },
      ),
    )

    test(
      'R1, R3 whatever is appended in whatever batches, places are contiguous and each source id has one',
      { timeout: 60_000 },
      on(async ({ log, clock }) => {
        let expected = 0
        const known = new Set<string>()
        let run = 0
        await fc.assert(
          fc.asyncProperty(
            fc.array(fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 12 }), { maxLength: 8 }),
            async (batches) => {
              run += 1
              const given = batches.map((batch) =>
                batch.map((number) => newEvent(`${run % 3}-${number}`, { atMs: clock.now() })),
              )
              const appended = await Promise.all(given.map((batch) => log.append(batch)))
              for (const [index, { events, duplicates }] of appended.entries()) {
                expect(events.length + duplicates).toBe(given[index]!.length)
              }
              const fresh = new Set(given.flat().map((event) => event.source_event_id)).difference(known)
              const read = await log.read({ after: expected, limit: 1000 })
              expect(places(read)).toEqual(upTo(fresh.size, expected))
              expect(new Set(read.map((event) => event.source_event_id))).toEqual(fresh)
              for (const id of fresh) known.add(id)
              expected += fresh.size
            },
          ),
          { numRuns: 40 },
        )
      }),
    )
  })

  describe(`${name}: retention`, () => {
    test(
      'R5 drops by count, and tells what is left',
      on(
        async ({ log, fresh }) => {
          await log.append(fresh(30))
          await expect(log.trim()).resolves.toBe(20)
          await expect(log.trim()).resolves.toBe(0)
          expect(await log.extent()).toMatchObject({ oldest: 21, head: 30 })
          expect(places(await log.read({ after: 0, limit: 5 }))).toEqual([21, 22, 23, 24, 25])
          expect(places(await log.readBack({ before: 23, limit: 5 }))).toEqual([22, 21])
          await expect(log.find('id-20')).resolves.toBeNull()
          expect((await log.find('id-21'))!.seq).toBe(21)
          expect(places((await log.append(fresh(2, 'more'))).events)).toEqual([31, 32])
        },
        { retention: { ...EVERYTHING, maxEvents: 10 } },
      ),
    )

    test(
      'R5 drops by age, down to nothing, and goes on counting',
      on(
        async ({ log, clock, fresh }) => {
          await log.append(fresh(5))
          clock.shift(40_000)
          await log.append(fresh(3, 'b'))
          await expect(log.trim()).resolves.toBe(0)
          clock.shift(40_000)
          await expect(log.trim()).resolves.toBe(5)
          expect(await log.extent()).toMatchObject({ oldest: 6, head: 8 })
          await expect(log.seqBefore({ epochMs: 0 })).resolves.toBe(5)
          clock.shift(40_000)
          await expect(log.trim()).resolves.toBe(3)
          expect(await log.extent()).toMatchObject({ oldest: 9, head: 8 })
          await expect(log.read({ after: 0, limit: 5 })).resolves.toEqual([])
          await expect(log.seqBefore({ epochMs: clock.now() })).resolves.toBe(8)
          expect(places((await log.append(fresh(1, 'c'))).events)).toEqual([9])
        },
        { retention: { ...EVERYTHING, maxAgeMs: 60_000 } },
      ),
    )

    test(
      'R5 drops by bytes',
      on(
        async ({ log, clock }) => {
          const data = { text: 'x'.repeat(10_000) }
          await log.append(upTo(30).map((number) => newEvent(number, { atMs: clock.now(), data })))
          await log.trim()
          const { oldest, head } = await log.extent()
          expect(head - oldest + 1).toBeLessThanOrEqual(10)
          expect(head - oldest + 1).toBeGreaterThanOrEqual(8)
        },
        { retention: { ...EVERYTHING, maxBytes: 105_000 } },
      ),
    )
  })

  describe(`${name}: following`, () => {
    test(
      'R4 tells what is stored and then what comes, in order and without gaps, to everybody from their own place',
      on(async ({ log, fresh }) => {
        await log.append(fresh(1200, 'old'))
        const { epoch } = await log.extent()
        await using all = new Follower(log, { epoch, seq: 0 })
        await using late = new Follower(log, { epoch, seq: 1200 })
        for (let index = 0; index < 30; index += 1) await log.append(fresh(10, `${index}-`))
        await all.until('all events', ({ events }) => events.length >= 1500)
        await late.until('the new events', ({ events }) => events.length >= 300)
        expect(places(all.events)).toEqual(upTo(1500))
        expect(places(late.events)).toEqual(upTo(300, 1200))
        expect([...all.news, ...late.news].every(({ kind }) => kind === 'events')).toBe(true)
      }),
    )

    test(
      'R3 tells only of what is stored by then',
      on(async ({ log, fresh }) => {
        const { epoch } = await log.extent()
        const seen: boolean[] = []
        const signal = new AbortController()
        const following = (async () => {
          for await (const news of log.tail({ epoch, seq: 0 }, { signal: signal.signal })) {
            if (news.kind !== 'events') continue
            for (const { id } of news.events) seen.push((await log.find(id)) !== null)
            if (seen.length >= 50) signal.abort()
          }
        })()
        for (let index = 0; index < 10; index += 1) await log.append(fresh(5, `${index}-`))
        await following
        expect(seen).toEqual(Array.from({ length: 50 }, () => true))
      }),
    )

    test(
      'R4 lets a slow follower read again what it could not hold',
      on(async ({ log, fresh }) => {
        const { epoch } = await log.extent()
        const signal = new AbortController()
        const tail = log.tail({ epoch, seq: 0 }, { signal: signal.signal })[Symbol.asyncIterator]()
        const next = tail.next()
        for (let index = 0; index < 12; index += 1) await log.append(fresh(500, `${index}-`))
        const events: StreamEvent[] = []
        for (let news = await next; events.length < 6000;) {
          if (news.value?.kind === 'events') events.push(...news.value.events)
          if (events.length < 6000) news = await tail.next()
        }
        expect(places(events)).toEqual(upTo(6000))
        signal.abort()
        expect((await tail.next()).done).toBe(true)
      }),
    )

    test(
      'R5 goes on behind what was dropped',
      on(
        async ({ log, fresh }) => {
          await log.append(fresh(30))
          await log.trim()
          const { epoch } = await log.extent()
          await using follower = new Follower(log, { epoch, seq: 3 })
          await follower.until('what is left', ({ events }) => events.length >= 10)
          expect(places(follower.events)).toEqual(upTo(10, 20))
        },
        { retention: { ...EVERYTHING, maxEvents: 10 } },
      ),
    )

    test(
      'R6 tells a follower whose place is of another history, and begins again with what there is',
      on(async ({ log, fresh }) => {
        await log.append(fresh(3))
        const { epoch } = await log.extent()
        const strange: TailPosition[] = [
          { epoch: 'another', seq: 2 },
          { epoch, seq: 17 },
        ]
        for (const position of strange) {
          await using follower = new Follower(log, position)
          await follower.until('all events', ({ events }) => events.length >= 3)
          expect(follower.news[0]).toEqual({ kind: 'epoch', extent: { epoch, oldest: 1, head: 3 } })
          expect(places(follower.events)).toEqual([1, 2, 3])
        }
      }),
    )

    test('R4 ends with the log, which takes no more', async (ctx) => {
      await using place = await factory(ctx)
      const log = await place.open({ clock: new ShiftableClock() })
      const { epoch } = await log.extent()
      const following = (async () => {
        for await (const news of log.tail({ epoch, seq: 0 }, { signal: new AbortController().signal })) void news
      })()
      const last = log.append(newEvents(1))
      await Promise.all([last, log.close()])
      await following
      await expect(log.append(newEvents(1, 'late'))).rejects.toThrow(ShutdownError)
      await log.close()
    })
  })

  if (traits.durable) {
    describe(`${name}: opened again`, () => {
      test('R14 has everything, its epoch, its head and its repeats', async (ctx) => {
        await using place = await factory(ctx)
        const clock = new ShiftableClock()
        const events = newEvents(40, '', { atMs: clock.now() })
        const retention = { ...EVERYTHING, maxEvents: 10 }
        const first = await place.open({ clock, retention })
        await first.append(events.slice(0, 30))
        await first.trim()
        const extent = await first.extent()
        await first.close()
        const second = await place.open({ clock, retention })
        expect(await second.extent()).toEqual(extent)
        expect(places(await second.read({ after: 0, limit: 100 }))).toEqual(upTo(10, 20))
        const appended = await second.append(events)
        expect([places(appended.events), appended.duplicates]).toEqual([upTo(10, 30), 30])
        await second.close()
      })

      test('R1 goes on counting although nothing is left', async (ctx) => {
        await using place = await factory(ctx)
        const clock = new ShiftableClock()
        const retention = { ...EVERYTHING, maxAgeMs: 1000 }
        const first = await place.open({ clock, retention })
        await first.append(newEvents(5, '', { atMs: clock.now() }))
        clock.shift(2000)
        await first.trim()
        const extent = await first.extent()
        await first.close()
        const second = await place.open({ clock, retention })
        expect(await second.extent()).toEqual({ ...extent, oldest: 6, head: 5 })
        expect(places((await second.append(newEvents(1, 'b'))).events)).toEqual([6])
        await second.close()
      })

      test('R6 after its store was destroyed it is another history', async (ctx) => {
        await using place = await factory(ctx)
        const clock = new ShiftableClock()
        const first = await place.open({ clock })
        await first.append(newEvents(5))
        const before = await first.extent()
        await first.close()
        await place.wipe()
        const second = await place.open({ clock })
        const after = await second.extent()
        expect(after).toMatchObject({ oldest: 1, head: 0 })
        expect(after.epoch).not.toBe(before.epoch)
        await second.close()
      })
    })
  }

  if (traits.shared) {
    describe(`${name}: several nodes`, () => {
      test(
        'R35 append at once and follow: all see the same events at the same places',
        on(async ({ log, place, clock, fresh }) => {
          const other = await place.open({ clock })
          try {
            const { epoch } = await log.extent()
            await using here = new Follower(log, { epoch, seq: 0 })
            await using there = new Follower(other, { epoch, seq: 0 })
            await Promise.all(
              upTo(40).map((number) => (number % 2 === 0 ? log : other).append(fresh(5, `${number % 30}-`))),
            )
            for (const follower of [here, there]) {
              await follower.until('all events', ({ events }) => events.length >= 150)
              expect(places(follower.events)).toEqual(upTo(150))
            }
            expect(here.events.map(eventJson)).toEqual(there.events.map(eventJson))
            expect(await other.extent()).toEqual(await log.extent())
          } finally {
            await other.close()
          }
        }),
      )

      test(
        'R6 notice that the store was wiped under them: a new epoch, never the old places again',
        on(async ({ log, place, clock, fresh }) => {
          const other = await place.open({ clock })
          try {
            await log.append(fresh(10))
            const { epoch } = await log.extent()
            await using here = new Follower(log, { epoch, seq: 0 })
            await using there = new Follower(other, { epoch, seq: 0 })
            for (const follower of [here, there]) {
              await follower.until('the first events', ({ events }) => events.length >= 10)
            }
            await place.wipe()
            await other.append(fresh(4, 'after'))
            for (const follower of [here, there]) {
              await follower.until('the new history', ({ events }) => events.length >= 14)
              const turn = follower.news.findIndex(({ kind }) => kind === 'epoch')
              expect(follower.news[turn]).toMatchObject({ kind: 'epoch', extent: { oldest: 1 } })
              expect(follower.events.slice(10).map(({ id, seq }) => `${seq} ${id}`)).toEqual(
                upTo(4).map((number) => `${number} id-after${number}`),
              )
              expect(new Set(follower.events.slice(10).map((event) => event.epoch)).has(epoch)).toBe(false)
            }
            expect((await log.extent()).epoch).toBe((await other.extent()).epoch)
          } finally {
            await other.close()
          }
        }),
      )
    })
  }
}

function places(events: readonly StreamEvent[]): number[] {
  return events.map(({ seq }) => seq)
}

/** `count` whole numbers after `after`. */
function upTo(count: number, after = 0): number[] {
  return Array.from({ length: count }, (_, index) => after + index + 1)
}
