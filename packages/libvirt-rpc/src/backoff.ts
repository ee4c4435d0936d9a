export interface BackoffOptions {
  readonly minDelayMs: number
  readonly maxDelayMs: number
  /** A number in [0, 1). */
  readonly random: () => number
}

/**
 * The pause before the next attempt: twice as long after each failure, between its half and its whole, never outside
 * [minDelayMs, maxDelayMs]. `failures` counts from 0. Source: IM-3.
 */
export function backoffDelayMs(failures: number, { minDelayMs, maxDelayMs, random }: BackoffOptions): number {
  const whole = Math.min(maxDelayMs, minDelayMs * 2 ** Math.min(failures, 52))
  return Math.max(minDelayMs, whole * (0.5 + random() / 2))
}
