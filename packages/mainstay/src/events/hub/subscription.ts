import type { EventScope } from '../access/scope.ts'
import type { EventFilter } from '../filter/index.ts'
import type { Dialect } from './dialect.ts'
import type { SlowPolicy } from './flow.ts'

/** What a client asked for. */
export interface Subscription {
  readonly dialect: Dialect
  readonly filter: EventFilter
  readonly scope: EventScope
  readonly policy: SlowPolicy
  /** Whether the stream goes on from the oldest event when what was asked for is gone (R11). */
  readonly continueOnReset: boolean
  /** When the right to listen ends, in milliseconds since the Unix epoch. */
  readonly expiresAtMs: number | null
}

export type SubscriberState = 'starting' | 'replaying' | 'live' | 'behind' | 'draining' | 'closed'

/** Numbers for whoever looks after the stream (R37). */
export interface SubscriberFigures {
  readonly state: SubscriberState
  readonly cursor: string
  readonly behindEvents: number
  readonly unsentBytes: number
  readonly sent: number
  readonly dropped: number
}

/** The same, with a filter and a scope that all who want the same refer to: there are many connections. */
export function shared(
  { dialect, policy, continueOnReset, expiresAtMs }: Subscription,
  { filter, scope }: Pick<Subscription, 'filter' | 'scope'>,
): Subscription {
  return { dialect, filter, scope, policy, continueOnReset, expiresAtMs }
}
