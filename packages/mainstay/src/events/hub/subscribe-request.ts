import type { JsonObject } from '../../core/json.ts'
import type { Outlet } from './dialect.ts'
import type { Since } from './since.ts'
import type { Subscription } from './subscription.ts'

/** One client that wants to listen. */
export interface SubscribeRequest {
  /** Names the connection, to the client and to whoever looks after the stream. */
  readonly connectionId: string
  readonly outlet: Outlet
  readonly subscription: Subscription
  readonly since: Since
  /** What the transport limits, for the `hello`. */
  readonly limits: JsonObject
  /** Who it is, for whoever looks after the stream. */
  readonly client: ClientFacts
}

/** What is remembered of a connection. */
export interface ConnectionFacts {
  readonly connectionId: string
  readonly client: ClientFacts
}

/** What is told of a client in the list of connections. Source: event-stream.md R37. */
export interface ClientFacts {
  /** Null where nobody is asked who they are. */
  readonly name: string | null
  readonly address: string
  /** What it asked for. */
  readonly since: string
}
