import { getEventListeners } from 'node:events'

import { describe, expect, test } from 'vitest'

import { ManualClock } from './clock.ts'
import { withDeadline } from './deadline.ts'
import { TimeoutError } from './errors.ts'

const never = new Promise<never>(() => {})

describe('a deadline', () => {
  test('ends the wait for work that ignores its signal', async () => {
    const clock = new ManualClock()
    const waiting = withDeadline({ clock, what: 'Asking Nova', timeoutMs: 500 }, async () => await never)
    await Promise.all([
      expect(waiting).rejects.toThrow('Asking Nova took longer than 500 ms and was given up.'),
      clock.advance(500),
    ])
  })

  test('tells its own reason, whatever the work makes of the aborted signal', async () => {
    const clock = new ManualClock()
    const work = async (signal: AbortSignal): Promise<never> =>
      await new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(new Error('my socket was destroyed')))
      })
    const waiting = withDeadline({ clock, what: 'Work', timeoutMs: 10 }, work)
    await Promise.all([expect(waiting).rejects.toBeInstanceOf(TimeoutError), clock.advance(10)])
  })

  test('aborts the signal of the work with that reason', async () => {
    const clock = new ManualClock()
    let seen: AbortSignal | undefined
    const waiting = withDeadline({ clock, what: 'Work', timeoutMs: 10 }, async (signal) => {
      seen = signal
      return await never
    })
    await Promise.all([expect(waiting).rejects.toThrow(TimeoutError), clock.advance(10)])
    expect(seen?.reason).toBeInstanceOf(TimeoutError)
  })

  test('passes on the reason of the outer signal, and leaves no listener on it', async () => {
    const clock = new ManualClock()
    const outer = new AbortController()
    const waiting = withDeadline({ clock, what: 'Work', timeoutMs: 10, signal: outer.signal }, async () => await never)
    outer.abort(new Error('shutting down'))
    await expect(waiting).rejects.toThrow('shutting down')
    expect(getEventListeners(outer.signal, 'abort')).toHaveLength(0)
    expect(clock.pending).toBe(0)
  })

  test('does not start work when the outer signal is aborted already', async () => {
    const clock = new ManualClock()
    let started = false
    const signal = AbortSignal.abort(new Error('too late'))
    const waiting = withDeadline({ clock, what: 'Work', timeoutMs: 10, signal }, async () => void (started = true))
    await expect(waiting).rejects.toThrow('too late')
    expect(started).toBe(false)
  })

  test('returns the result of work that is in time, and leaves no timer', async () => {
    const clock = new ManualClock()
    await expect(withDeadline({ clock, what: 'Work', timeoutMs: 10 }, async () => 42)).resolves.toBe(42)
    expect(clock.pending).toBe(0)
  })

  test('passes on the error of work that fails in time, also when it fails before its first await', async () => {
    const clock = new ManualClock()
    const broken = (): Promise<never> => {
      throw new Error('broken')
    }
    await expect(withDeadline({ clock, what: 'Work', timeoutMs: 10 }, broken)).rejects.toThrow('broken')
    expect(clock.pending).toBe(0)
  })

  test('an error that the work throws after it was given up disturbs nobody', async () => {
    const clock = new ManualClock()
    const late = Promise.withResolvers<never>()
    const waiting = withDeadline({ clock, what: 'Work', timeoutMs: 10 }, () => late.promise)
    await Promise.all([expect(waiting).rejects.toThrow(TimeoutError), clock.advance(10)])
    const unhandled: unknown[] = []
    const listen = (reason: unknown): void => void unhandled.push(reason)
    process.on('unhandledRejection', listen)
    late.reject(new Error('late'))
    await clock.advance(1)
    process.off('unhandledRejection', listen)
    expect(unhandled).toEqual([])
  })
})
