import { SystemClock, type Clock } from './clock.ts'
import { isRetryable } from './errors.ts'
import { SystemRandom, type Random } from './random.ts'

export interface RetryOptions {
  /** How often it is tried again after the first attempt. */
  readonly retries: number
  readonly minDelayMs: number
  readonly maxDelayMs: number
  readonly signal?: AbortSignal | undefined
  /** Which errors are worth another attempt; those of ours that say so unless given. */
  readonly when?: (error: unknown) => boolean
  readonly clock?: Clock
  readonly random?: Random
}

/**
 * Tries again while the error says that a retry can help. The wait before retry n is a random time between `minDelayMs`
 * and `minDelayMs * 2 ** n`, never more than `maxDelayMs`: callers that failed together do not come back together.
 *
 * @throws the last error, or the signal's reason
 */
export async function withRetry<T>(options: RetryOptions, work: (attempt: number) => Promise<T>): Promise<T> {
  const { retries, signal, when = isRetryable, clock = new SystemClock() } = options
  for (let attempt = 1; ; attempt += 1) {
    signal?.throwIfAborted()
    try {
      return await work(attempt)
    } catch (error) {
      if (attempt > retries || !when(error)) throw error
    }
    await clock.sleep(backOffMs(attempt, options), { signal })
  }
}

function backOffMs(retry: number, { minDelayMs, maxDelayMs, random = new SystemRandom() }: RetryOptions): number {
  const longest = Math.min(maxDelayMs, minDelayMs * 2 ** retry)
  const shortest = Math.min(minDelayMs, longest)
  return shortest + random.next() * (longest - shortest)
}
