import type { JsonObject } from './json.ts'

export type Severity = 'debug' | 'info' | 'warning' | 'error' | 'critical'

/**
 * Something that happened, as any room says it. The stream adds its place (`seq`, `cursor`) when it stores it.
 *
 * Source: event-stream.md R2.
 */
export interface MainstayEvent {
  /** Stable: a repeat of the same fact has the same id, and the log keeps one. */
  readonly id: string
  /** Dotted, most general first: `recovery.host.fenced`. */
  readonly type: string
  readonly severity: Severity
  /** Milliseconds since the Unix epoch. */
  readonly occurredAt: number
  readonly nodeName: string | null
  readonly resourceId: string | null
  readonly projectId: string | null
  /** The request that led to it. */
  readonly correlationId: string | null
  readonly payload: JsonObject
}

/** Where rooms put events. Only the composition roots know who listens. */
export interface Publish {
  publish(event: MainstayEvent): void
}
