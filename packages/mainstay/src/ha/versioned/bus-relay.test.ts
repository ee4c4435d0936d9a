import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { ManualClock } from '../../core/clock.ts'
import { silentLogger } from '../../core/logging.ts'
import { TaskGroup } from '../../core/task-group.ts'
import { startHa, type RunningHa } from '../testing/start-ha.ts'
import { takeFromBusOutbox, writeToBusOutbox } from './bus-outbox.ts'
import type { BusMessage } from './bus-message.ts'
import { BusRelay, type BusRelayOptions } from './bus-relay.ts'

const { signal } = new AbortController()
const clock = new ManualClock(1_000_000)
let ha: RunningHa
let sent: string[]
let isAway: boolean
let refused: number

beforeEach(async () => {
  ha = await startHa({ clock })
  sent = []
  isAway = false
  refused = 0
})

afterEach(async () => {
  await ha[Symbol.asyncDispose]()
})

async function write(...bodies: string[]): Promise<void> {
  await ha.store.write(async (queries) => {
    const messages = bodies.map((body) => ({ priority: 'info', body }) as const)
    await writeToBusOutbox(queries, messages, clock.now())
  })
}

async function waiting(): Promise<string[]> {
  const rows = await ha.store.read.selectFrom('bus_outbox').select('body').orderBy('seq').execute()
  return rows.map(({ body }) => body)
}

type Given = Partial<Pick<BusRelayOptions, 'tasks' | 'deliver' | 'inFlight'>>

function relay({ tasks = new TaskGroup({ clock, logger: silentLogger() }), ...options }: Given = {}): BusRelay {
  return new BusRelay({
    store: ha.store,
    clock,
    tasks,
    logger: silentLogger(),
    pollMs: 1000,
    keepMs: 60_000,
    deliver: async ({ body }) => {
      if (isAway || body === 'refused') {
        refused += 1
        throw new Error('the bus is away')
      }
      sent.push(body)
    },
    ...options,
  })
}

/** A bus that keeps its confirmations until it is told what to do with them. */
class SlowBus {
  readonly sent: string[] = []
  readonly #open = new Map<string, PromiseWithResolvers<void>>()

  readonly deliver = async ({ body }: BusMessage): Promise<void> => {
    const confirmed = Promise.withResolvers<void>()
    this.sent.push(body)
    this.#open.set(body, confirmed)
    await confirmed.promise
  }

  confirm(...bodies: string[]): void {
    for (const body of bodies) this.#open.get(body)?.resolve()
  }

  refuse(body: string): void {
    this.#open.get(body)?.reject(new Error(`${body} is refused`))
  }
}

describe('messages of recoveries to the bus (ha-api 18)', () => {
  test('leave in order, once, and those after one that failed come with the next round', async () => {
    await write('1', '2')
    await write('refused', '4')
    await expect(relay({ inFlight: 1 }).carry(signal)).rejects.toThrow('the bus is away')
    expect(sent).toEqual(['1', '2'])
    await ha.store.write(async (queries) => {
      await queries.updateTable('bus_outbox').set({ body: '3' }).where('body', '=', 'refused').execute()
    })
    expect(await relay().carry(signal)).toBe(false)
    expect(await relay().carry(signal)).toBe(false)
    expect(sent).toEqual(['1', '2', '3', '4'])
  })

  test('leave without waiting for each other, the first alone, and no more than so many at once', async () => {
    await write('1', '2', '3', '4', '5')
    const bus = new SlowBus()
    const carried = relay({ deliver: bus.deliver, inFlight: 3 }).carry(signal)
    await expect.poll(() => bus.sent).toEqual(['1'])
    await clock.advance(0)
    expect(bus.sent).toEqual(['1'])
    bus.confirm('1')
    await expect.poll(() => bus.sent).toEqual(['1', '2', '3', '4'])
    // The place of one that is not the oldest stays taken.
    bus.confirm('3')
    await clock.advance(0)
    expect(bus.sent).toEqual(['1', '2', '3', '4'])
    bus.confirm('2')
    await expect.poll(() => bus.sent).toEqual(['1', '2', '3', '4', '5'])
    bus.confirm('4', '5')
    expect(await carried).toBe(false)
    expect(await waiting()).toEqual([])
  })

  test('are sent again from the first on that was refused, when nothing is on its way any more', async () => {
    await write('1', '2', '3', '4', '5', '6')
    const bus = new SlowBus()
    const slow = relay({ deliver: bus.deliver, inFlight: 3 })
    let failure: unknown
    const carried = slow.carry(signal).catch((error: unknown) => (failure = error))
    await expect.poll(() => bus.sent).toEqual(['1'])
    bus.confirm('1')
    await expect.poll(() => bus.sent).toEqual(['1', '2', '3', '4'])
    bus.confirm('3')
    bus.refuse('2')
    await clock.advance(0)
    expect([bus.sent, failure]).toEqual([['1', '2', '3', '4'], undefined])
    bus.confirm('4')
    await carried
    expect(failure).toMatchObject({ message: '2 is refused' })
    expect(await waiting()).toEqual(['2', '3', '4', '5', '6'])
    await relay().carry(signal)
    expect(sent).toEqual(['2', '3', '4', '5', '6'])
    expect(await waiting()).toEqual([])
  })

  test('are sent by one process at a time, and by another when that one died', async () => {
    await write('1')
    const nowMs = clock.now()
    expect(await takeFromBusOutbox(ha.store, { limit: 10, nowMs, untilMs: nowMs + 5000 })).toHaveLength(1)
    await write('2')
    await relay().carry(signal)
    expect(sent).toEqual([])
    await clock.advance(5000)
    await relay().carry(signal)
    expect(sent).toEqual(['1', '2'])
  })

  test('that waited too long are dropped', async () => {
    await write('old')
    await clock.advance(60_001)
    await write('new')
    await relay().carry(signal)
    expect(sent).toEqual(['new'])
  })

  test('leave when something was committed, and by the clock when the bus is back', async () => {
    const tasks = new TaskGroup({ clock, logger: silentLogger() })
    const running = relay({ tasks })
    running.start()
    isAway = true
    await write('1')
    running.poke()
    await expect.poll(() => refused).toBe(1)
    isAway = false
    await expect.poll(async () => await clock.advance(1000).then(() => sent)).toEqual(['1'])
    await write('2')
    running.poke()
    await expect.poll(() => sent).toEqual(['1', '2'])
    await tasks.stop({ timeoutMs: 1000 })
  })
})
