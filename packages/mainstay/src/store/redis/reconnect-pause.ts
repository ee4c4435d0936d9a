export interface ReconnectOptions {
  /** The longest pause before the first attempt; it doubles with each one that fails. */
  readonly reconnectMinMs: number
  /** Where the doubling ends. */
  readonly reconnectMaxMs: number
}

/** Full jitter may come out as nothing at all; a reconnect is never a busy loop. */
const SHORTEST_PAUSE_MS = 20

/**
 * The pause before a lost connection is tried again: a random part of `min(max, min × 2^attempt)`, so that nodes which
 * lost the server together do not come back together.
 *
 * Source: event-stream.md R8.
 *
 * @param attempt how many have failed since the connection was last healthy, from 0
 * @param chance a number in [0, 1)
 */
export function reconnectPauseMs(attempt: number, chance: number, options: ReconnectOptions): number {
  const ceilingMs = Math.min(options.reconnectMaxMs, options.reconnectMinMs * 2 ** Math.min(attempt, 30))
  return Math.max(SHORTEST_PAUSE_MS, chance * ceilingMs)
}
