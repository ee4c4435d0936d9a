import type { DeliveryProfile } from './profile.ts'
import { readRetryAfter, waitAfterFailure } from './retry-schedule.ts'
import type { Answer } from './send.ts'
import type { Progress } from './webhook.ts'

/** What becomes of an event after an attempt to deliver it. */
export type Verdict =
  | { readonly kind: 'delivered' }
  /** It is tried again at that time, in milliseconds since the Unix epoch. */
  | { readonly kind: 'again'; readonly at: number; readonly reason: string }
  /** It is given up, and the next one follows. */
  | { readonly kind: 'dead'; readonly reason: string }
  /** The webhook is switched off; its event stays the next one. */
  | { readonly kind: 'off'; readonly reason: string }

export interface Attempt {
  readonly answer: Answer
  /** How far deliveries had come before it. */
  readonly progress: Pick<Progress, 'failures' | 'failingSince'>
  /** Milliseconds since the Unix epoch. */
  readonly now: number
  /** A random number in [0, 1). */
  readonly chance: number
}

/** Source: event-stream.md R39. */
export function judgeAttempt({ answer, progress, now, chance }: Attempt, profile: DeliveryProfile): Verdict {
  if (answer.kind === 'answered' && answer.status >= 200 && answer.status < 300) return { kind: 'delivered' }
  const reason = answer.kind === 'answered' ? `the receiver answered ${answer.status}` : answer.reason
  if (answer.kind === 'answered') {
    if (answer.status === 410 && profile.goneDisables) {
      return { kind: 'off', reason: 'the receiver answered 410: it wants no more events' }
    }
    if (profile.isHopeless(answer.status)) return { kind: 'dead', reason }
  }
  const failingMs = now - (progress.failingSince ?? now)
  if (profile.disableAfterMs !== null && failingMs >= profile.disableAfterMs) {
    const days = Math.floor(profile.disableAfterMs / 86_400_000)
    return { kind: 'off', reason: `no delivery has succeeded for ${days} days; last: ${reason}` }
  }
  const retryAfterMs = answer.kind === 'answered' ? readRetryAfter(answer.retryAfter, now) : null
  const waitMs = waitAfterFailure({ failures: progress.failures + 1, retryAfterMs, chance }, profile.schedule)
  return waitMs === undefined ? { kind: 'dead', reason } : { kind: 'again', at: now + waitMs, reason }
}

/** How far deliveries have come after an attempt with the event at `position`. */
export function progressAfter(before: Progress, verdict: Verdict, position: number, now: number): Progress {
  switch (verdict.kind) {
    case 'delivered':
      return {
        ...before,
        position,
        failures: 0,
        nextAttemptAt: null,
        failingSince: null,
        lastDeliveryAt: now,
        lastError: null,
      }
    case 'again':
      return {
        ...before,
        failures: before.failures + 1,
        nextAttemptAt: verdict.at,
        failingSince: before.failingSince ?? now,
        lastError: verdict.reason,
      }
    case 'dead':
      return {
        ...before,
        position,
        failures: 0,
        nextAttemptAt: null,
        failingSince: before.failingSince ?? now,
        lastError: verdict.reason,
      }
    case 'off':
      return { ...before, failures: 0, nextAttemptAt: null, lastError: verdict.reason }
  }
}
