/** What a log keeps. Trimming is approximate: it happens now and then, and may drop a little later than it could. */
export interface RetentionOptions {
  /** Events older than this are dropped. */
  readonly maxAgeMs: number
  /** The most events that are kept. */
  readonly maxEvents: number
  /** The most bytes of event text that are kept. */
  readonly maxBytes: number
}

/** Source: event-stream.md R5. */
export const DEFAULT_RETENTION: RetentionOptions = {
  maxAgeMs: 7 * 24 * 3_600_000,
  maxEvents: 1_000_000,
  maxBytes: 2 * 1024 ** 3,
}

/** How long, and among how many of the last events, a repeat of a source's id is recognised. */
export interface RepeatWindow {
  readonly ms: number
  readonly events: number
}

/** Source: event-stream.md R3. */
export const DEFAULT_REPEAT_WINDOW: RepeatWindow = { ms: 24 * 3_600_000, events: 1_000_000 }

/**
 * The first place whose event was taken in at or after a time, by halving. Logs keep the time of an event never
 * smaller than that of the one before, so that this is well defined although clocks jump.
 *
 * @param takenInAt the time of a place in milliseconds since the Unix epoch, undefined where nothing is kept any more
 * @returns a place from `oldest` to `head + 1`
 */
export async function firstTakenIn(
  { oldest, head }: { oldest: number; head: number },
  epochMs: number,
  takenInAt: (seq: number) => number | undefined | Promise<number | undefined>,
): Promise<number> {
  let low = oldest
  let high = head + 1
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    const at = await takenInAt(middle)
    if (at === undefined || at < epochMs) low = middle + 1
    else high = middle
  }
  return low
}
