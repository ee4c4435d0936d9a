import type { Random } from '../core/random.ts'

/**
 * How long to wait before the next attempt: exponential with full jitter, never less than the minimum.
 *
 * Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
 *
 * @param attempt how many attempts have failed, from 1
 * @returns milliseconds
 */
export function retryDelay(
  attempt: number,
  { minDelayMs, maxDelayMs }: { minDelayMs: number; maxDelayMs: number },
  random: Random,
): number {
  const ceiling = Math.min(maxDelayMs, minDelayMs * 2 ** (attempt - 1))
  return Math.round(minDelayMs + random.next() * Math.max(0, ceiling - minDelayMs))
}
