import { describe, expect, test } from 'vitest'

import { isAlive, track, type KnownDomain } from './known-domain.ts'

const running: KnownDomain = {
  name: 'a',
  state: 1,
  reason: 1,
  sinceMs: 5,
  persistent: true,
  incoming: false,
  pauseTold: null,
  instanceUuid: null,
}
const at = { name: 'a', nowMs: 9 }

describe('what is known of a domain after an event (monitors 7.5)', () => {
  test.each([
    ['STARTED BOOTED', 2, 0, { state: 1, reason: 1 }],
    ['SUSPENDED PAUSED', 3, 0, { state: 3, reason: 1 }],
    ['SUSPENDED MIGRATED', 3, 1, { state: 3, reason: 2 }],
    ['SUSPENDED IOERROR', 3, 2, { state: 3, reason: 5 }],
    ['SUSPENDED WATCHDOG', 3, 3, { state: 3, reason: 6 }],
    ['SUSPENDED POSTCOPY_FAILED', 3, 8, { state: 3, reason: 13 }],
    ['RESUMED UNPAUSED', 4, 0, { state: 1, reason: 5 }],
    ['STOPPED SHUTDOWN', 5, 0, { state: 5, reason: 1 }],
    ['STOPPED DESTROYED', 5, 1, { state: 5, reason: 2 }],
    ['STOPPED CRASHED', 5, 2, { state: 5, reason: 3 }],
    ['STOPPED MIGRATED', 5, 3, { state: 5, reason: 4 }],
    ['STOPPED SAVED', 5, 4, { state: 5, reason: 5 }],
    ['STOPPED FAILED', 5, 5, { state: 5, reason: 6 }],
    ['STOPPED FROM_SNAPSHOT', 5, 6, { state: 5, reason: 7 }],
    ['SHUTDOWN GUEST', 6, 1, { state: 4, reason: 0 }],
    ['PMSUSPENDED', 7, 0, { state: 7, reason: 0 }],
    ['CRASHED PANICKED', 8, 0, { state: 6, reason: 1 }],
  ])('%s', (_name, event, detail, expected) => {
    expect(track(running, { event, detail }, at)).toEqual({ ...running, ...expected, sinceMs: 9 })
  })

  test('an event that this version does not know changes nothing', () => {
    expect(track(running, { event: 99, detail: 0 }, at)).toBe(running)
  })

  test('a domain that is defined and started is persistent, one that only starts is not', () => {
    const defined = track(undefined, { event: 0, detail: 0 }, at)
    expect(track(defined, { event: 2, detail: 0 }, at)).toMatchObject({ persistent: true, state: 1 })
    expect(track(undefined, { event: 2, detail: 0 }, at)).toMatchObject({ persistent: false, state: 1 })
  })

  test('a domain is forgotten when it is undefined while off, or off while undefined', () => {
    const off = track(running, { event: 5, detail: 1 }, at)
    expect(track(off, { event: 1, detail: 0 }, at)).toBeUndefined()
    const transient = track(running, { event: 1, detail: 0 }, at)
    expect(transient).toMatchObject({ persistent: false, state: 1 })
    expect(track(transient, { event: 5, detail: 1 }, at)).toBeUndefined()
  })

  test('IM-11 an incoming migration lasts from its start until the domain runs or is left paused here', () => {
    const arriving = track(undefined, { event: 2, detail: 1 }, at)
    expect(arriving).toMatchObject({ incoming: true })
    expect(track(arriving, { event: 3, detail: 1 }, at)).toMatchObject({ incoming: true })
    expect(track(arriving, { event: 4, detail: 1 }, at)).toMatchObject({ incoming: false })
    expect(track(arriving, { event: 3, detail: 0 }, at)).toMatchObject({ incoming: false })
  })

  test('IM-7 a domain that is powering off in order is not alive any more', () => {
    const down = track(running, { event: 6, detail: 1 }, at)
    expect(down && isAlive(down)).toBe(false)
  })
})
