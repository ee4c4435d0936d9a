import type { MainstayEvent } from '../core/event.ts'

/** What changes about a connection. */
export type PresenceChange = 'connected' | 'disconnected'

/** Who listens. */
export interface PresentClient {
  readonly connectionId: string
  readonly client: {
    /** Null where nobody is asked who they are. */
    readonly name: string | null
    readonly address: string
    /** What it asked for. */
    readonly since: string
  }
}

/** Told of everybody who begins and ends to listen. */
export type Presence = (change: PresenceChange, who: PresentClient) => void

/**
 * That somebody came or went, as an event of the stream itself. It belongs to no project, so only those see it who may
 * see everything.
 *
 * Source: event-stream.md R37.
 *
 * @param nowMs milliseconds since the Unix epoch
 */
export function presenceEvent(change: PresenceChange, who: PresentClient, nowMs: number): MainstayEvent {
  const { connectionId, client } = who
  return {
    id: `${connectionId}:${change}`,
    type: `mainstay.stream.${change}`,
    severity: 'info',
    occurredAt: nowMs,
    nodeName: null,
    resourceId: connectionId,
    projectId: null,
    correlationId: null,
    payload: { connection_id: connectionId, principal: client.name, address: client.address, since: client.since },
  }
}
