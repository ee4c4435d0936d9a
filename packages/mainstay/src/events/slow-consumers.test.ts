import { afterEach, beforeEach, expect, test, vi } from 'vitest'

import { ManualClock } from '../core/clock.ts'
import { nextTurn } from '../core/turn.ts'
import { MemoryEventLog } from './memory/log.ts'
import type { SubscriberState } from './hub/subscription.ts'
import { newEvent, newEvents } from './testing/new-event.ts'
import type { StreamClient } from './testing/stream-client.ts'
import { StreamLab } from './testing/stream-lab.ts'
import { waitFor } from './testing/wait-for.ts'

// Real sockets on a machine that may be busy.
vi.setConfig({ testTimeout: 60_000 })

const EVENT_BYTES = 32 * 1024
const large = { data: { text: 'x'.repeat(EVENT_BYTES) } }

let clock: ManualClock
let log: MemoryEventLog
let lab: StreamLab

beforeEach(async () => {
  clock = new ManualClock()
  log = new MemoryEventLog({ clock })
  lab = await StreamLab.start({ log, clock })
})

afterEach(async () => {
  await lab[Symbol.asyncDispose]()
})

/** What the server knows of the client that does not read. */
function stalled(): { state: SubscriberState; unsentBytes: number; dropped: number } | undefined {
  const found = [...lab.service.hub.subscribers].find(([, { client }]) => client.since.startsWith('2000-'))
  return found?.[0].figures
}

/** A client that is known by what it asked for, and reads nothing after hello. */
async function stall(policy: string): Promise<StreamClient> {
  const client = await lab.listen({ query: `since=2000-01-01T00:00:00Z&policy=${policy}` })
  await waitFor('it to be live', () => stalled()?.state === 'live')
  client.socket.pause()
  return client
}

/** Appends until the server notices that one client does not read. @returns how many events there are then */
async function appendUntil(condition: () => boolean, others: readonly StreamClient[] = []): Promise<number> {
  let count = 0
  while (!condition()) {
    await log.append(newEvents(10, `${count}-`, large))
    count += 10
    for (const other of others) await other.until('every event', ({ events }) => events.length === count)
    await lab.settled()
    await nextTurn()
    if (count > 5000) throw new Error('The network has taken more than any network should.')
  }
  return count
}

function upTo(last: number): number[] {
  return Array.from({ length: last }, (_, index) => index + 1)
}

test('E-208 R20 catchup: who stops reading costs nobody anything, and later gets everything, in order', async () => {
  const others = [await lab.listen(), await lab.listen(), await lab.listen()]
  const slow = await stall('catchup')
  let count = await appendUntil(() => stalled()!.state === 'behind', others)
  // What the server holds for it does not grow, however much comes.
  const { softLimitBytes, chunkBytes } = lab.service.hub.options
  const held = softLimitBytes + chunkBytes + EVENT_BYTES + 1024
  for (let more = 0; more < 60; more += 1) {
    await log.append(newEvents(10, `more-${more}-`, large))
    count += 10
    expect(stalled()!.unsentBytes).toBeLessThanOrEqual(held)
  }
  for (const other of others) await other.until('every event', ({ events }) => events.length === count)
  expect(lab.service.hub.bufferedBytes).toBeLessThanOrEqual(lab.service.hub.options.pageBytesKept + 10 * EVENT_BYTES)
  slow.socket.resume()
  await slow.until('everything', ({ events }) => events.length === count)
  expect(slow.seqs).toEqual(upTo(count))
  expect(slow.events.map(({ n }) => n)).toEqual(upTo(count))
  await waitFor('it to be live again', () => stalled()!.state === 'live')
  await log.append([newEvent('last')])
  await slow.until('the news', ({ events }) => events.length === count + 1)
})

test('E-208 R20 disconnect: it is closed when the hard limit is passed, with the cursor to resume from', async () => {
  const other = await lab.listen()
  const slow = await stall('disconnect')
  const count = await appendUntil(() => stalled() === undefined, [other])
  expect(other.seqs).toEqual(upTo(count))
  // It reads before the server gives up waiting for it: the reason comes after everything before it.
  slow.socket.resume()
  const { code, reason } = await slow.untilClosed()
  expect(code).toBe(4408)
  expect(reason).toContain(`last cursor ${slow.events.at(-1)!.cursor}`)
  const again = await lab.listen({ query: `since=${reason.split(' ').at(-1)!}` })
  await again.until('the rest', ({ seqs }) => seqs.at(-1) === count || seqs.length === 0)
  expect([...slow.seqs, ...again.seqs]).toEqual(upTo(count))
})

test('E-208 R21 whoever does not even take the reason is cut off 2 s later', async () => {
  const slow = await stall('disconnect')
  await appendUntil(() => stalled() === undefined)
  await waitFor('the connection still to be there', () => lab.service.connections === 1)
  await clock.advance(2500)
  await waitFor('the connection to be gone', () => lab.service.connections === 0)
  slow.socket.resume()
  expect(await slow.untilClosed()).toMatchObject({ code: 1006 })
})

test('E-208 R20 drop: it is told what was left out, and goes on with what comes', async () => {
  const slow = await stall('drop')
  let count = await appendUntil(() => stalled()!.dropped >= 50)
  slow.socket.resume()
  await slow.until('the news of it', (each) => each.control('lagged').length === 1)
  await log.append([newEvent('after')])
  count += 1
  await slow.until('what comes after', ({ seqs }) => seqs.at(-1) === count)
  const [lagged] = slow.control('lagged')
  const from = Number(lagged!['from'])
  expect(lagged).toEqual({ type: 'lagged', dropped: count - from, from, to: count - 1 })
  expect(slow.seqs).toEqual([...upTo(from - 1), count])
  // The counter numbers what was sent; the gap is told by the frame.
  expect(slow.events.map(({ n }) => n)).toEqual(upTo(slow.events.length))
  const told = slow.frames.findIndex(({ type }) => type === 'lagged')
  expect(slow.frames[told - 1]).toMatchObject({ seq: from - 1 })
})

test('R21 30 s without progress close the connection, whatever its policy', async () => {
  const slow = await stall('catchup')
  await appendUntil(() => stalled()!.state === 'behind')
  await clock.advance(20_000)
  expect(stalled()).toBeDefined()
  await clock.advance(12_000)
  expect(stalled()).toBeUndefined()
  slow.socket.resume()
  expect(await slow.untilClosed()).toMatchObject({ code: expect.any(Number) as unknown })
})

test('R21 a client that still reads, if slowly, is not stuck', async () => {
  const slow = await stall('catchup')
  await appendUntil(() => stalled()!.state === 'behind')
  for (let round = 0; round < 4; round += 1) {
    const { unsentBytes } = stalled()!
    slow.socket.resume()
    const seen = slow.events.length
    await slow.until('some events', ({ events }) => events.length > seen + 20)
    slow.socket.pause()
    await waitFor('the server to notice', () => stalled()!.unsentBytes !== unsentBytes || stalled()!.state === 'live')
    if (stalled()!.state === 'live') await appendUntil(() => stalled()!.state === 'behind')
    await clock.advance(15_000)
    expect(stalled()).toBeDefined()
  }
})

test('R38 who was too slow is counted by policy', async () => {
  await stall('catchup')
  await appendUntil(() => stalled()!.state === 'behind')
  expect(await lab.metrics.text()).toContain('mainstay_events_slow_consumers_total{policy="catchup"} 1')
})
