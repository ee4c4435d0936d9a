import { pauseAfterMs, type BackOffOptions } from './back-off.ts'

/** What came of one attempt. */
export type DeliveryOutcome =
  | {
      readonly kind: 'answered'
      readonly status: number
      /** The server's own wish, in milliseconds. */
      readonly retryAfterMs: number | undefined
      /** The beginning of the answer's body. */
      readonly text: string
    }
  /** No answer: connecting, TLS, a time-out, or no token to be had. */
  | { readonly kind: 'unreachable'; readonly text: string }

export type DeliveryDecision =
  | { readonly kind: 'done'; readonly as: 'delivered' }
  /** Nothing comes of it: the API takes it for a repetition, or its host is on maintenance. */
  | { readonly kind: 'done'; readonly as: 'duplicate'; readonly because: string }
  | { readonly kind: 'retry'; readonly afterMs: number; readonly asked: boolean; readonly because: string }
  | { readonly kind: 'dead-letter'; readonly because: string }
  | { readonly kind: 'reauthenticate' }

export interface DeliverySituation {
  /** This attempt included. */
  readonly attempts: number
  /** How long the record has been in the spool. */
  readonly ageMs: number
  /** Whether this attempt was made with a token fetched for it. */
  readonly reauthenticated: boolean
  /** A number in [0, 1). */
  readonly chance: number
}

export interface DeliveryPolicy extends BackOffOptions {
  /** After this long without success a record becomes a dead letter, in milliseconds; default 86,400,000. */
  readonly ttlMs: number
  /** The longest `Retry-After` that is believed, in milliseconds; default 3,600,000. */
  readonly maxRetryAfterMs: number
}

/** Verdicts about the record itself. Every other refusal may be repaired in somebody's configuration meanwhile. */
const REFUSED_FOR_GOOD = new Set([400, 413, 422])
const MAY_ASK_FOR_A_PAUSE = new Set([429, 503])

/**
 * What follows from an attempt to deliver. A record is tried at least once, whatever its age.
 *
 * Source: monitors.md 2.3 and 2.4.
 */
export function decideDelivery(
  outcome: DeliveryOutcome,
  situation: DeliverySituation,
  policy: DeliveryPolicy,
): DeliveryDecision {
  if (outcome.kind === 'unreachable') return tryAgain(outcome.text, undefined, situation, policy)
  const { status, text, retryAfterMs } = outcome
  const because = `${status} ${text}`.trim()
  if (status >= 200 && status < 300) return { kind: 'done', as: 'delivered' }
  if (status === 409) return { kind: 'done', as: 'duplicate', because }
  if (REFUSED_FOR_GOOD.has(status)) return { kind: 'dead-letter', because }
  if (status === 401 && !situation.reauthenticated) return { kind: 'reauthenticate' }
  return tryAgain(because, MAY_ASK_FOR_A_PAUSE.has(status) ? retryAfterMs : undefined, situation, policy)
}

function tryAgain(
  because: string,
  askedMs: number | undefined,
  { attempts, ageMs, chance }: DeliverySituation,
  policy: DeliveryPolicy,
): DeliveryDecision {
  if (ageMs >= policy.ttlMs) return { kind: 'dead-letter', because: `not delivered in time: ${because}` }
  const pauseMs = pauseAfterMs(attempts, chance, policy)
  if (askedMs === undefined) return { kind: 'retry', afterMs: pauseMs, asked: false, because }
  return { kind: 'retry', afterMs: Math.max(pauseMs, Math.min(askedMs, policy.maxRetryAfterMs)), asked: true, because }
}
