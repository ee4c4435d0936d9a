import type { HubOptions } from './options.ts'

/** One subscriber as the regular look sees it. Times are milliseconds, monotonic unless said otherwise. */
export interface UpkeepView {
  readonly lastFrameAt: number
  /** When it last learned a cursor, be it with an event. */
  readonly lastCursorAt: number
  /** Whether its place has moved since. */
  readonly movedSinceCursor: boolean
  readonly unsentBytes: number
  /** When bytes last left. */
  readonly lastProgressAt: number
  /** Events between its place and the head. */
  readonly behind: number
  /** How far it was behind at most when it was last level, or when it began. */
  readonly allowedBehind: number
  /** When its token expires, in milliseconds since the Unix epoch. */
  readonly expiresAtMs: number | null
  readonly warnedOfExpiry: boolean
}

export type Upkeep = 'stuck' | 'too-far-behind' | 'expired' | 'warn-of-expiry' | 'bookmark' | 'heartbeat'

/**
 * What is due for a subscriber: at most one reason to end it, or else frames to send.
 *
 * Who asked for a long replay is behind from the start: only what is added to that counts.
 *
 * Source: event-stream.md R13, R21, R30, R33.
 *
 * @param now monotonic, in milliseconds
 * @param wallMs milliseconds since the Unix epoch
 */
export function decideUpkeep(view: UpkeepView, now: number, wallMs: number, options: HubOptions): readonly Upkeep[] {
  const { expiresAtMs } = view
  if (expiresAtMs !== null && wallMs >= expiresAtMs) return ['expired']
  if (view.unsentBytes > 0 && now - view.lastProgressAt >= options.noProgressMs) return ['stuck']
  if (view.behind > options.maxBehindEvents + view.allowedBehind) return ['too-far-behind']
  const due: Upkeep[] = []
  if (expiresAtMs !== null && !view.warnedOfExpiry && wallMs >= expiresAtMs - options.expiryWarningMs) {
    due.push('warn-of-expiry')
  }
  // A client that does not read is told nothing: it would only find it in the way.
  if (view.unsentBytes > 0) return due
  if (view.movedSinceCursor && now - view.lastCursorAt >= options.bookmarkMs) due.push('bookmark')
  else if (now - view.lastFrameAt >= options.heartbeatMs) due.push('heartbeat')
  return due
}
