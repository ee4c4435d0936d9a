/** When a delivery that failed is tried again. */
export interface RetryTimes {
  /** The pause that the back-off starts from, in milliseconds; default 10,000 (`retry_interval`). */
  readonly intervalMs: number
  /** How many retries keep exactly that pause in the `compat` mode; default 12 (`retry_max`). */
  readonly max: number
}

export interface BackOffOptions extends RetryTimes {
  /** `compat` keeps the reference's constant pauses for its 13 attempts and backs off after them. */
  readonly mode: 'backoff' | 'compat'
  /** The longest pause, in milliseconds; default 60,000. */
  readonly capMs: number
}

/** Full jitter may come out as nothing at all; a retry is never a busy loop. */
const SHORTEST_PAUSE_MS = 100

/**
 * The pause after a number of failed attempts: a random part of `min(cap, interval × 2^n)`, n counted from 0.
 *
 * Source: monitors.md 2.4 and SND-6.
 *
 * @param attempts how often it was tried in vain, at least 1
 * @param chance a number in [0, 1)
 */
export function pauseAfterMs(attempts: number, chance: number, options: BackOffOptions): number {
  const { mode, intervalMs, max, capMs } = options
  if (mode === 'compat' && attempts <= max) return intervalMs
  const exponent = mode === 'compat' ? attempts - max - 1 : attempts - 1
  const ceilingMs = Math.min(capMs, intervalMs * 2 ** Math.min(exponent, 30))
  return Math.max(SHORTEST_PAUSE_MS, chance * ceilingMs)
}
