/** How a connection came to its end. */
export type LinkEnd =
  /** The WebSocket was closed, by whomever. */
  | { readonly kind: 'closed'; readonly code: number; readonly reason: string }
  /** The server answered, and not with a stream. */
  | {
      readonly kind: 'refused'
      readonly status: number
      readonly retryAfterMs: number | null
      readonly message: string
    }
  /** The connection broke, or was never made. */
  | { readonly kind: 'failed'; readonly message: string }
  /** Nothing was heard for too long. */
  | { readonly kind: 'silent'; readonly silentMs: number }
  /** An event is missing. */
  | { readonly kind: 'gap' }
  /** This client ended it, to go on at once or when it can. */
  | { readonly kind: 'own'; readonly why: string }

export type TransportName = 'websocket' | 'sse'

export interface ReconnectOptions {
  /** What the first wait is at most, in milliseconds; it doubles. */
  readonly minDelayMs: number
  /** What a wait is at most. */
  readonly maxDelayMs: number
  /** How long a connection must have lasted for the waits to begin anew. */
  readonly healthyAfterMs: number
}

/** Source: event-stream.md R40. */
export const DEFAULT_RECONNECT: ReconnectOptions = { minDelayMs: 500, maxDelayMs: 30_000, healthyAfterMs: 10_000 }

export interface EndedLink {
  readonly end: LinkEnd
  /** How long after its first frame it ended, in milliseconds, or null when there was none. */
  readonly lastedMs: number | null
  /** How many connections in a row have ended before they were healthy, this one not included. */
  readonly failures: number
  /** When the server asked to come back, in milliseconds from now, or null. */
  readonly hintMs: number | null
  /** A random number in [0, 1). */
  readonly chance: number
}

export type AfterEnd =
  | { readonly kind: 'stop' }
  | {
      readonly kind: 'again'
      readonly delayMs: number
      readonly failures: number
      /** The token was not good. */
      readonly renewToken: boolean
      /** The place in the stream was not good. */
      readonly forgetPlace: boolean
    }

/** Codes after which the same connection would end the same way. Source: event-stream.md 11.9. */
const FINAL_CODES: ReadonlySet<number> = new Set([1003, 1009, 4400, 4403])
const TOKEN_CODE = 4401
const PLACE_CODE = 4410

/** Statuses that a repeat may change; 401 may be changed by another token. */
const TRANSIENT_STATUSES: ReadonlySet<number> = new Set([401, 408, 410, 425, 429])

/**
 * What a client does after a connection has ended: it goes on for ever, unless the server said that this is of no use.
 *
 * The wait is a random part of a bound that doubles (full jitter), so that clients that were cut off together do not
 * come back together; a server that is about to stop says itself when to come back.
 *
 * Source: event-stream.md R40, 11.9.
 */
export function afterEnd(
  { end, lastedMs, failures, hintMs, chance }: EndedLink,
  { minDelayMs, maxDelayMs, healthyAfterMs }: ReconnectOptions = DEFAULT_RECONNECT,
): AfterEnd {
  if (isFinal(end)) return { kind: 'stop' }
  const before = lastedMs !== null && lastedMs >= healthyAfterMs ? 0 : failures
  const bound = Math.min(maxDelayMs, minDelayMs * 2 ** Math.min(before, 30))
  const asked = hintMs ?? (end.kind === 'refused' ? end.retryAfterMs : null)
  return {
    kind: 'again',
    delayMs: asked ?? (end.kind === 'own' ? 0 : Math.floor(chance * bound)),
    failures: end.kind === 'own' ? before : before + 1,
    renewToken: (end.kind === 'closed' && end.code === TOKEN_CODE) || (end.kind === 'refused' && end.status === 401),
    forgetPlace: (end.kind === 'closed' && end.code === PLACE_CODE) || (end.kind === 'refused' && end.status === 410),
  }
}

function isFinal(end: LinkEnd): boolean {
  if (end.kind === 'closed') return FINAL_CODES.has(end.code)
  return end.kind === 'refused' && end.status < 500 && !TRANSIENT_STATUSES.has(end.status)
}

/** Ends of a connection that may be the transport's fault: something on the way does not let it through. */
const BLOCKED_CODES: ReadonlySet<number> = new Set([1002, 1006, 1015])

export interface TransportHistory {
  /** In the order of preference. */
  readonly possible: readonly TransportName[]
  readonly worked: ReadonlySet<TransportName>
}

/** With which transport a round of attempts begins: the first one, unless only another has ever worked. */
export function firstTransport({ possible, worked }: TransportHistory): TransportName {
  const [first = 'websocket'] = possible
  return worked.has(first) ? first : (possible.find((name) => worked.has(name)) ?? first)
}

/**
 * Which transport is tried at once, in the same round, after the first one of the round did not get through.
 *
 * A proxy that knows no WebSocket lets server-sent events through. And where the handshake of a WebSocket is refused,
 * no page is told why, while the answer to an HTTP request says it.
 *
 * @returns undefined when the round is over
 */
export function fallbackTransport(
  { tried, end, opened }: { tried: TransportName; end: LinkEnd; opened: boolean },
  history: TransportHistory,
): TransportName | undefined {
  const blocked =
    end.kind === 'failed' || end.kind === 'silent' || (end.kind === 'closed' && BLOCKED_CODES.has(end.code))
  if (opened || !blocked || tried !== firstTransport(history)) return undefined
  return history.possible.find((name) => name !== tried)
}

/** What a person is told of the end of a connection. */
export function describeEnd(end: LinkEnd): string {
  switch (end.kind) {
    case 'closed':
      return `the connection was closed (${end.code}${end.reason === '' ? '' : `: ${end.reason}`})`
    case 'refused':
      return `the server answered ${end.status}: ${end.message}`
    case 'failed':
      return end.message
    case 'silent':
      return `nothing was heard for ${Math.round(end.silentMs / 1000)} s`
    case 'gap':
      return 'an event was missing'
    case 'own':
      return end.why
  }
}
