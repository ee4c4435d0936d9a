/** The first pause after a poll that was answered at once, in milliseconds. */
const FIRST_MS = 50

/** The longest pause, and how long a poll lasts after which there is none, in milliseconds. */
const LONGEST_MS = 1000

/**
 * How long to wait before the next poll of a wait.
 *
 * A server holds a poll until there is news, so the next may follow at once. Where it does not, for whatever reason, the
 * pauses make sure that nobody asks thousands of times in a second.
 *
 * @param quick how many polls in a row ended sooner than they should, with this one
 * @returns milliseconds
 */
export function pauseAfterPoll(quick: number): number {
  return quick === 0 ? 0 : Math.min(LONGEST_MS, FIRST_MS * 2 ** (quick - 1))
}

/** Whether a poll ended sooner than a server should let it. @param lastedMs in milliseconds */
export function wasQuick(lastedMs: number): boolean {
  return lastedMs < LONGEST_MS
}
