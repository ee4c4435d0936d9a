import { getEventListeners } from 'node:events'

import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { ManualClock, SystemClock } from './clock.ts'

describe('the manual clock', () => {
  test('stands still until it is moved, and then moves both of its times', async () => {
    const clock = new ManualClock(1000)
    expect([clock.now(), clock.monotonic()]).toEqual([1000, 0])
    await clock.advance(250)
    expect([clock.now(), clock.monotonic()]).toEqual([1250, 250])
  })

  test('wakes timers in the order of their time, those of the same time in the order of their making', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: -5, max: 50 }), { maxLength: 20 }), async (delays) => {
        const clock = new ManualClock()
        const woken: number[] = []
        delays.forEach((delay, index) => clock.after(delay, () => void woken.push(index)))
        await clock.advance(100)
        const due = delays.map((delay, index) => ({ at: Math.max(0, delay), index }))
        expect(woken).toEqual(due.sort((a, b) => a.at - b.at || a.index - b.index).map(({ index }) => index))
        expect(clock.pending).toBe(0)
      }),
      { numRuns: 40 },
    )
  })

  test('shows each timer the time at which it was due, not the end of the step', async () => {
    const clock = new ManualClock(0)
    const seen: number[] = []
    clock.after(30, () => void seen.push(clock.now()))
    clock.after(70, () => void seen.push(clock.now()))
    await clock.advance(100)
    expect(seen).toEqual([30, 70])
    expect(clock.now()).toBe(100)
  })

  test('wakes within the same step what a woken timer asks for', async () => {
    const clock = new ManualClock(0)
    const seen: number[] = []
    clock.after(10, () => clock.after(10, () => void seen.push(clock.monotonic())))
    await clock.advance(25)
    expect(seen).toEqual([20])
  })

  test('lets work that sleeps in a loop run through one large step', async () => {
    const clock = new ManualClock(0)
    const beats: number[] = []
    const loop = async (): Promise<void> => {
      for (let beat = 0; beat < 4; beat += 1) {
        await clock.sleep(100)
        beats.push(clock.monotonic())
      }
    }
    const running = loop()
    await clock.advance(1000)
    await running
    expect(beats).toEqual([100, 200, 300, 400])
  })

  test('does not wake a disposed timer', async () => {
    const clock = new ManualClock()
    let woken = false
    clock.after(10, () => void (woken = true))[Symbol.dispose]()
    await clock.advance(20)
    expect(woken).toBe(false)
  })

  test('keeps timers where they are when the wall clock is set', async () => {
    const clock = new ManualClock(5_000_000)
    const slept = clock.sleep(100)
    clock.setWallClock(1000)
    expect(clock.pending).toBe(1)
    await clock.advance(100)
    await slept
    expect(clock.now()).toBe(1100)
  })
})

describe.each([
  ['the manual clock', () => new ManualClock()],
  ['the system clock', () => new SystemClock()],
])('sleeping on %s', (_name, makeClock) => {
  test('ends with the reason of the signal as soon as it is aborted, and leaves nothing behind', async () => {
    const clock = makeClock()
    const controller = new AbortController()
    const slept = clock.sleep(3_600_000, { signal: controller.signal })
    const reason = new Error('enough')
    controller.abort(reason)
    await expect(slept).rejects.toBe(reason)
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0)
  })

  test('does not begin when the signal is aborted already', async () => {
    await expect(makeClock().sleep(1000, { signal: AbortSignal.abort(new Error('no')) })).rejects.toThrow('no')
  })

  test('takes no time for a delay of zero or less', async () => {
    await expect(makeClock().sleep(-1)).resolves.toBeUndefined()
  })
})

describe('the system clock', () => {
  test('leaves no listener on the signal once it has slept', async () => {
    const { signal } = new AbortController()
    await new SystemClock().sleep(1, { signal })
    expect(getEventListeners(signal, 'abort')).toHaveLength(0)
  })

  test('does not fire a timer of fifty days at once, as Node alone would', async () => {
    const clock = new SystemClock()
    const fired: string[] = []
    using _long = clock.after(50 * 86_400_000, () => void fired.push('long'))
    const short = Promise.withResolvers<void>()
    using _short = clock.after(5, () => {
      fired.push('short')
      short.resolve()
    })
    await short.promise
    expect(fired).toEqual(['short'])
  })

  test('measures time that never goes back', () => {
    const clock = new SystemClock()
    const first = clock.monotonic()
    expect(clock.monotonic()).toBeGreaterThanOrEqual(first)
  })
})
