/** When a delivery that failed is tried again, and when it is given up. */
export interface RetrySchedule {
  /** The wait before each further attempt, in milliseconds; after the last one the event is a dead letter. */
  readonly waitsMs: readonly number[]
  /** The part of a wait by which it is lengthened or shortened at random, so that many do not come back together. */
  readonly jitter: number
  /** The longest that a receiver may ask for with `Retry-After`, in milliseconds. */
  readonly longestRetryAfterMs: number
}

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

/** Source: event-stream.md R39. */
export const DEFAULT_RETRY_SCHEDULE: RetrySchedule = {
  waitsMs: [5 * SECOND, 30 * SECOND, 2 * MINUTE, 10 * MINUTE, HOUR, 6 * HOUR, 24 * HOUR],
  jitter: 0.2,
  longestRetryAfterMs: 24 * HOUR,
}

/**
 * How long to wait after a failed attempt.
 *
 * What the receiver asks for lengthens the wait and never shortens it: a receiver that always says "in a second" would
 * otherwise use up all attempts within seconds. Nothing comes earlier than the receiver asked.
 *
 * @param failures how many attempts have failed, this one included
 * @param chance a random number in [0, 1)
 * @returns milliseconds, or undefined when there is no further attempt
 */
export function waitAfterFailure(
  { failures, retryAfterMs, chance }: { failures: number; retryAfterMs: number | null; chance: number },
  { waitsMs, jitter, longestRetryAfterMs }: RetrySchedule = DEFAULT_RETRY_SCHEDULE,
): number | undefined {
  const base = waitsMs[failures - 1]
  if (base === undefined) return undefined
  const varied = base * (1 + jitter * (2 * chance - 1))
  return Math.round(Math.max(varied, Math.min(retryAfterMs ?? 0, longestRetryAfterMs)))
}

/**
 * Reads `Retry-After`: seconds, or a date.
 *
 * Source: RFC 9110 10.2.3.
 *
 * @param nowMs milliseconds since the Unix epoch
 * @returns milliseconds from now, or null when the header is missing or makes no sense
 */
export function readRetryAfter(header: string | undefined, nowMs: number): number | null {
  if (header === undefined) return null
  if (/^\d{1,9}$/.test(header.trim())) return Number(header) * SECOND
  const at = /^[A-Za-z]{3},? /.test(header) ? Date.parse(header) : Number.NaN
  return Number.isNaN(at) ? null : Math.max(0, at - nowMs)
}
