import { performance } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'

/** Wall-clock milliseconds since 1970, with fractions and without jumps while this process lives. */
export function wallMs(): number {
  return performance.timeOrigin + performance.now()
}

/** Monotonic milliseconds. */
export function monotonicMs(): number {
  return performance.now()
}

/** Waits, and ends early without an error when the signal fires. */
export async function pauseMs(ms: number, signal?: AbortSignal): Promise<void> {
  const aborted = (): boolean => signal?.aborted === true
  if (aborted()) return
  try {
    await delay(ms, undefined, signal === undefined ? {} : { signal })
  } catch (error) {
    if (!aborted()) throw error
  }
}

/**
 * Asks until the answer is neither false nor undefined, or the time is up.
 *
 * @returns the answer, or undefined when the time was up
 */
export async function pollUntil<T>(
  ask: () => T | false | undefined | Promise<T | false | undefined>,
  options: { timeoutMs: number; intervalMs?: number },
): Promise<T | undefined> {
  const deadline = monotonicMs() + options.timeoutMs
  for (;;) {
    const answer = await ask()
    if (answer !== false && answer !== undefined) return answer
    if (monotonicMs() >= deadline) return undefined
    await pauseMs(options.intervalMs ?? 20)
  }
}
