/** The clock of a connection. Tests replace it. */
export interface Timers {
  /** Monotonic time in ms. */
  now(): number
  /** Calls `run` once after `delayMs`, unless the returned function was called before. */
  after(delayMs: number, run: () => void): () => void
}

/** Node fires a longer timer at once; 25 days are as good as for ever here. */
const LONGEST_DELAY_MS = 2 ** 31 - 1

/** The real clock. */
export const systemTimers: Timers = {
  now: () => performance.now(),
  after(delayMs, run) {
    const timer = setTimeout(run, Math.min(delayMs, LONGEST_DELAY_MS))
    return () => clearTimeout(timer)
  },
}
