import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { ManualClock } from './clock.ts'
import { InvalidInputError, TimeoutError } from './errors.ts'
import { SeededRandom } from './random.ts'
import { withRetry } from './retry.ts'

const options = { retries: 3, minDelayMs: 100, maxDelayMs: 10_000 }
const late = new TimeoutError('Nova', 1)

describe('trying again', () => {
  test('goes on until it works, and counts the attempts from one', async () => {
    const clock = new ManualClock()
    const attempts: number[] = []
    const trying = withRetry({ ...options, clock }, async (attempt) => {
      attempts.push(attempt)
      if (attempt < 3) throw late
      return 'done'
    })
    await clock.advance(60_000)
    await expect(trying).resolves.toBe('done')
    expect(attempts).toEqual([1, 2, 3])
  })

  test('ends with the last error after all retries', async () => {
    const clock = new ManualClock()
    let attempts = 0
    const trying = withRetry({ ...options, clock }, async () => {
      attempts += 1
      throw new TimeoutError(`Attempt ${attempts}`, 1)
    })
    await Promise.all([expect(trying).rejects.toThrow('Attempt 4 took longer'), clock.advance(60_000)])
    expect(attempts).toBe(4)
  })

  test.each<[string, unknown]>([
    ['one of ours that says so', new InvalidInputError('bad')],
    ['one that nobody knows', new TypeError('fetch failed')],
    ['something that is no error', 'text'],
  ])('does not repeat an error that a retry cannot help: %s', async (_what, error) => {
    let attempts = 0
    const trying = withRetry({ ...options, clock: new ManualClock() }, async () => {
      attempts += 1
      throw error
    })
    await expect(trying).rejects.toBe(error)
    expect(attempts).toBe(1)
  })

  test('repeats whatever the caller calls worth it', async () => {
    const clock = new ManualClock()
    const trying = withRetry({ ...options, clock, when: (error) => error instanceof TypeError }, async (attempt) => {
      if (attempt === 1) throw new TypeError('fetch failed')
      return attempt
    })
    await clock.advance(200)
    await expect(trying).resolves.toBe(2)
  })

  test('stops waiting when the signal is aborted', async () => {
    const clock = new ManualClock()
    const controller = new AbortController()
    const trying = withRetry({ ...options, clock, signal: controller.signal }, async () => Promise.reject(late))
    await clock.advance(1)
    controller.abort(new Error('going down'))
    await expect(trying).rejects.toThrow('going down')
    expect(clock.pending).toBe(0)
  })
})

test('waits at least the shortest and at most the doubled or longest delay, differently for each seed', async () => {
  await fc.assert(
    fc.asyncProperty(fc.maxSafeNat(), async (seed) => {
      const clock = new ManualClock()
      const at: number[] = []
      const trying = withRetry(
        { retries: 5, minDelayMs: 100, maxDelayMs: 1000, clock, random: new SeededRandom(seed) },
        async () => {
          at.push(clock.monotonic())
          throw late
        },
      )
      await Promise.all([expect(trying).rejects.toBe(late), clock.advance(10_000)])
      const waits = at.slice(1).map((time, index) => time - at[index]!)
      waits.forEach((wait, index) => {
        expect(wait).toBeGreaterThanOrEqual(100)
        expect(wait).toBeLessThanOrEqual(Math.min(1000, 100 * 2 ** (index + 1)))
      })
      expect(new Set(waits).size).toBeGreaterThan(1)
    }),
    { numRuns: 20 },
  )
})
