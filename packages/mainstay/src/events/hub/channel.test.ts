import { expect, test } from 'vitest'

import { ALL_EVENTS } from '../access/scope.ts'
import { EVERYTHING, type EventFilter } from '../filter/index.ts'
import { compatFormat } from '../format/compat.ts'
import { nativeFormat } from '../format/native.ts'
import type { StreamEvent } from '../stream-event.ts'
import { streamEvent } from '../testing/stream-event.ts'
import { frameDialect } from '../websocket/frame-dialect.ts'
import { Channels } from './channels.ts'
import { Pages } from './pages.ts'

const native = frameDialect(nativeFormat)
const compat = frameDialect(compatFormat())

/** Every third event is of a port, the others of nodes. */
function mixed(first: number, last: number): StreamEvent[] {
  return Array.from({ length: last - first + 1 }, (_, index) => {
    const seq = first + index
    return streamEvent(seq, {
      event_type: seq % 3 === 0 ? 'baremetal.port.create.end' : 'baremetal.node.power_set.end',
      project_id: seq % 2 === 0 ? 'even' : 'odd',
    })
  })
}

function start(chunkBytes = 1e6): { pages: Pages; channels: Channels } {
  const pages = new Pages({ read: async () => [] }, { pageEvents: 100, pagesKept: 3, pageBytesKept: 1e9 })
  pages.restart(0)
  return { pages, channels: new Channels(pages, { chunkBytes }) }
}

const ports: EventFilter = { ...EVERYTHING, event_filters: ['baremetal.port.**'] }

test('R18 equal wishes meet in one audience, which goes with its last listener', () => {
  const { channels } = start()
  const first = channels.acquire({ filter: ports, scope: ALL_EVENTS, dialect: native })
  const second = channels.acquire({ filter: { ...ports }, scope: { all: true }, dialect: native })
  const other = channels.acquire({ filter: ports, scope: ALL_EVENTS, dialect: compat })
  const narrower = channels.acquire({ filter: ports, scope: { all: false, projects: ['odd'] }, dialect: native })
  expect(second).toBe(first)
  expect(other).not.toBe(first)
  expect(other.audience).toBe(first.audience)
  expect(narrower.audience).not.toBe(first.audience)
  expect(channels.audiences).toBe(2)
  for (const each of [first, second, other, narrower]) channels.release(each)
  expect(channels.audiences).toBe(0)
})

test('R18 an event is held against a filter once, however many listen and ask', () => {
  const { pages, channels } = start()
  let looks = 0
  const counted = mixed(1, 9).map((event) =>
    Object.defineProperty({ ...event }, 'event_type', {
      get: () => {
        looks += 1
        return event.event_type
      },
    }),
  )
  const members = Array.from({ length: 5 }, () =>
    channels.acquire({ filter: ports, scope: ALL_EVENTS, dialect: native }),
  )
  pages.append(counted, { keep: true })
  for (const member of members) member.audience.select(pages.holding(1)!, 0)
  const once = looks
  for (const member of members) member.audience.select(pages.holding(1)!, 0)
  expect(looks).toBe(once)
  // Its type and its service are looked at when it is prepared, its type once more by the filter.
  expect(once).toBeLessThanOrEqual(9 * 4)
})

test('E-209 who is level with the head has nothing before it held against a filter', () => {
  const { pages, channels } = start()
  pages.append(mixed(1, 60), { keep: true })
  const { audience } = channels.acquire({ filter: ports, scope: ALL_EVENTS, dialect: native })
  const page = pages.holding(60)!
  expect(audience.select(page, 55).map(({ event }) => event.seq)).toEqual([57, 60])
  // Somebody else who shares the filter stands further back.
  expect(audience.select(page, 50).map(({ event }) => event.seq)).toEqual([51, 54, 57, 60])
  pages.append(mixed(61, 63), { keep: true })
  expect(
    audience
      .select(page, 60)
      .map(({ event }) => event.seq)
      .at(-1),
  ).toBe(63)
})

test('R27 those who stand at the same place with the same counter are given the same bytes', () => {
  const { pages, channels } = start()
  const channel = channels.acquire({ filter: EVERYTHING, scope: ALL_EVENTS, dialect: native })
  channels.acquire({ filter: EVERYTHING, scope: ALL_EVENTS, dialect: native })
  pages.append(mixed(1, 6), { keep: true })
  const chunk = channel.after(2)!
  expect(chunk).toMatchObject({ to: 6, count: 4 })
  expect(channel.after(2)!.bytes(1)).toBe(chunk.bytes(1))
  expect(channel.after(2)!.bytes(2)).not.toBe(chunk.bytes(1))
  expect(chunk.bytes(2).length).toBe(chunk.bytes(1).length)
})

test('R27 frames without a counter are the same bytes for all', () => {
  const { pages, channels } = start()
  const channel = channels.acquire({ filter: EVERYTHING, scope: ALL_EVENTS, dialect: compat })
  channels.acquire({ filter: EVERYTHING, scope: ALL_EVENTS, dialect: compat })
  pages.append(mixed(1, 6), { keep: true })
  expect(channel.after(0)!.bytes(1)).toBe(channel.after(0)!.bytes(99))
})

test('R6 nothing that was made of a lost history is given again', () => {
  const { pages, channels } = start()
  const channel = channels.acquire({ filter: EVERYTHING, scope: ALL_EVENTS, dialect: compat })
  channels.acquire({ filter: EVERYTHING, scope: ALL_EVENTS, dialect: compat })
  pages.append(mixed(1, 6), { keep: true })
  expect(channel.after(0)).toMatchObject({ count: 6 })
  pages.restart(0)
  expect(channel.after(0)).toBeUndefined()
  pages.append(mixed(1, 2), { keep: true })
  expect(channel.after(0)).toMatchObject({ count: 2 })
})

test('a chunk holds what fits and moves the place past what the filter leaves out', () => {
  const { pages, channels } = start(1)
  const channel = channels.acquire({ filter: ports, scope: ALL_EVENTS, dialect: native })
  pages.append(mixed(1, 8), { keep: true })
  expect(channel.after(0)).toMatchObject({ to: 3, count: 1 })
  // The last one that passes takes with it what follows and does not pass.
  expect(channel.after(3)).toMatchObject({ to: 8, count: 1 })
  pages.append(mixed(9, 11), { keep: true })
  expect(channel.after(8)).toMatchObject({ to: 11, count: 1 })
  pages.append(mixed(13, 14), { keep: true })
  expect(channel.after(12)).toMatchObject({ to: 14, count: 0 })
  expect(channel.after(14)).toBeUndefined()
})

test('R31 a scope narrows what a filter lets pass', () => {
  const { pages, channels } = start()
  const channel = channels.acquire({ filter: ports, scope: { all: false, projects: ['even'] }, dialect: native })
  pages.append(mixed(1, 12), { keep: true })
  expect(channel.audience.select(pages.holding(1)!, 0).map(({ event }) => event.seq)).toEqual([6, 12])
})

test('R20 what was left out is counted as the audience would have received it', () => {
  const { pages, channels } = start()
  const channel = channels.acquire({ filter: ports, scope: ALL_EVENTS, dialect: native })
  pages.append(mixed(1, 12), { keep: true })
  expect([channel.count(0, 12), channel.count(3, 12), channel.count(3, 5), channel.count(12, 12)]).toEqual([4, 3, 0, 0])
})
