/** How fast machines may be asked for (C8). */
export interface BucketRate {
  /** The most that can be spent at once. 0: no limit at all. */
  readonly burst: number
  /** What comes back each minute. */
  readonly perMinute: number
}

/** What is left of the rate. */
export interface Bucket {
  /** May hold a fraction. */
  readonly tokens: number
  /** When that was so, in milliseconds since the Unix epoch. */
  readonly at: number
}

const MINUTE_MS = 60_000

/** A bucket that nobody has taken from. */
export function fullBucket({ burst }: BucketRate, now: number): Bucket {
  return { tokens: burst, at: now }
}

/** The bucket with what has come back since. A clock that was set back brings nothing and takes nothing. */
export function refilled(bucket: Bucket, rate: BucketRate, now: number): Bucket {
  const passedMs = Math.max(0, now - bucket.at)
  return { tokens: Math.min(rate.burst, bucket.tokens + (passedMs * rate.perMinute) / MINUTE_MS), at: now }
}

/** How many may be taken now. */
export function available(bucket: Bucket, rate: BucketRate): number {
  return rate.burst === 0 ? Number.POSITIVE_INFINITY : Math.floor(bucket.tokens)
}

/** The bucket without what was taken. */
export function spent(bucket: Bucket, count: number): Bucket {
  return { ...bucket, tokens: bucket.tokens - count }
}
