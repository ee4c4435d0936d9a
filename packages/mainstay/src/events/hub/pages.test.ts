import { expect, test } from 'vitest'

import { Pages } from './pages.ts'
import { streamEvent } from '../testing/stream-event.ts'
import type { StreamEvent } from '../stream-event.ts'

const signal = new AbortController().signal

function events(first: number, last: number): StreamEvent[] {
  return Array.from({ length: last - first + 1 }, (_, index) => streamEvent(first + index))
}

/** Pages of ten over a log that holds all from `oldest` to `head`. */
function pagesOver(log: { oldest: number; head: number; reads?: number }, pagesKept = 3): Pages {
  const read = async ({ after, limit }: { after: number; limit: number }): Promise<StreamEvent[]> => {
    log.reads = (log.reads ?? 0) + 1
    return events(Math.max(after + 1, log.oldest), Math.min(log.head, after + limit))
  }
  const pages = new Pages({ read }, { pageEvents: 10, pagesKept, pageBytesKept: 1e9 })
  pages.restart(log.head)
  return pages
}

function seqs(pages: Pages, seq: number): number[] | undefined {
  return pages.holding(seq)?.records.map(({ event }) => event.seq)
}

test('R10 what the tail brings is there at once, what was before it after reading', async () => {
  const log = { oldest: 1, head: 13 }
  const pages = pagesOver(log)
  expect(pages.holding(13)).toBeUndefined()
  pages.append(events(14, 16), { keep: true })
  log.head = 16
  expect(seqs(pages, 15)).toEqual([14, 15, 16])
  expect(pages.holding(12)).toBeUndefined()
  await pages.load(12, signal)
  expect(seqs(pages, 12)).toEqual([11, 12, 13, 14, 15, 16])
})

test('R27 reading the rest of a page does not make anew what the tail has brought', async () => {
  const log = { oldest: 1, head: 13 }
  const pages = pagesOver(log)
  pages.append(events(14, 15), { keep: true })
  const known = pages.holding(14)!.records[0]!
  log.head = 15
  await pages.load(11, signal)
  expect(pages.holding(14)!.records[3]).toBe(known)
})

test('R10 nothing beyond the head is shown, although the log has it', async () => {
  const log = { oldest: 1, head: 15 }
  const pages = pagesOver(log)
  pages.restart(12)
  await pages.load(11, signal)
  expect(seqs(pages, 11)).toEqual([11, 12])
  pages.append(events(13, 14), { keep: true })
  expect(seqs(pages, 11)).toEqual([11, 12, 13, 14])
})

test('R10 what was not kept, because nobody listened, is read when somebody does', async () => {
  const log = { oldest: 1, head: 12 }
  const pages = pagesOver(log)
  pages.append(events(13, 14), { keep: true })
  pages.append(events(15, 16), { keep: false })
  log.head = 16
  expect(pages.head).toBe(16)
  expect(pages.holding(15)).toBeUndefined()
  await pages.load(15, signal)
  expect(seqs(pages, 15)).toEqual([11, 12, 13, 14, 15, 16])
})

test('E-222 as many pages as allowed are kept, the newest always', async () => {
  const log = { oldest: 1, head: 100 }
  const pages = pagesOver(log)
  pages.append(events(101, 102), { keep: true })
  for (const seq of [1, 11, 21, 31]) await pages.load(seq, signal)
  expect([1, 11, 21, 31, 101].map((seq) => pages.holding(seq) !== undefined)).toEqual([false, false, true, true, true])
  // What was used last goes last.
  pages.holding(21)
  await pages.load(41, signal)
  expect([21, 31, 41, 101].map((seq) => pages.holding(seq) !== undefined)).toEqual([true, false, true, true])
})

test('E-222 a limit of bytes counts as well', async () => {
  const log = { oldest: 1, head: 100 }
  const pages = new Pages(
    { read: async ({ after, limit }) => events(after + 1, Math.min(log.head, after + limit)) },
    { pageEvents: 10, pagesKept: 100, pageBytesKept: 25 * 1024 },
  )
  pages.restart(100)
  for (const seq of [1, 11, 21, 31]) await pages.load(seq, signal)
  expect(pages.bytes).toBeLessThanOrEqual(25 * 1024)
  expect([1, 11, 21, 31].map((seq) => pages.holding(seq) !== undefined)).toEqual([false, false, true, true])
})

test('a page is read once for all who ask at the same time', async () => {
  const log = { oldest: 1, head: 100, reads: 0 }
  const pages = pagesOver(log)
  await Promise.all([pages.load(5, signal), pages.load(6, signal), pages.load(1, signal), pages.load(11, signal)])
  expect(log.reads).toBe(2)
})

test('R11 what the retention has dropped is not there after reading', async () => {
  const pages = pagesOver({ oldest: 26, head: 100 })
  await pages.load(5, signal)
  await pages.load(24, signal)
  expect(pages.holding(5)).toBeUndefined()
  expect(pages.holding(24)).toBeUndefined()
  expect(seqs(pages, 26)).toEqual([26, 27, 28, 29, 30])
})

test('R6 what was read from a lost history is thrown away', async () => {
  const gate = Promise.withResolvers<StreamEvent[]>()
  const pages = new Pages(
    { read: async () => await gate.promise },
    { pageEvents: 10, pagesKept: 3, pageBytesKept: 1e9 },
  )
  pages.restart(20)
  const reading = pages.load(5, signal)
  pages.restart(30)
  gate.resolve(events(1, 10))
  await reading
  expect(pages.holding(5)).toBeUndefined()
  expect(pages.bytes).toBe(0)
})

test('an event that is repeated is taken once', () => {
  const pages = pagesOver({ oldest: 1, head: 0 })
  pages.append(events(1, 3), { keep: true })
  pages.append(events(2, 4), { keep: true })
  expect(seqs(pages, 1)).toEqual([1, 2, 3, 4])
})
