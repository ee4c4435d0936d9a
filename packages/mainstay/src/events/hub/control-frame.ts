import type { JsonObject } from '../../core/json.ts'

/** Why the history that a client asked for is not there. Source: event-stream.md R11. */
export type ResetReason = 'cursor_expired' | 'cursor_ahead' | 'epoch_changed'

/**
 * What the stream says beside events. Each dialect has its own form for it, or none.
 *
 * Source: event-stream.md section 6, R9, R11, R13, R20, R30, R33, R34.
 */
export type ControlFrame =
  | {
      readonly type: 'hello'
      readonly connection_id: string
      readonly epoch: string
      readonly head: number
      readonly oldest: number
      /** Where the stream begins: what comes has a later place. */
      readonly cursor: string
      /** Whether it goes on where a cursor said. */
      readonly resumed: boolean
      /** The place of the first event that is looked at for replay, or null for what is yet to come. */
      readonly replay_from: number | null
      readonly heartbeat_ms: number
      readonly format: string
      readonly policy: string
      /** Whether every event is shown that passes the filter, or only those of some projects: then `seq` has holes. */
      readonly scope: 'all' | 'projects'
      readonly limits: JsonObject
    }
  | { readonly type: 'bookmark'; readonly cursor: string }
  | { readonly type: 'heartbeat'; readonly cursor: string; readonly time: string }
  | {
      readonly type: 'reset'
      readonly reason: ResetReason
      readonly oldest: number
      readonly head: number
      readonly epoch: string
      /** Where the stream goes on, for those who want that. */
      readonly cursor: string
    }
  | { readonly type: 'lagged'; readonly dropped: number; readonly from: number; readonly to: number }
  | { readonly type: 'draining'; readonly reconnect_after_ms: number }
  | { readonly type: 'expiring'; readonly expires_at: string }
  | { readonly type: 'refreshed'; readonly expires_at: string | null }
  /** Echoes what was said of the filter. */
  | ({ readonly type: 'filter_update'; readonly status: 'success' } & JsonObject)
  | { readonly type: 'error'; readonly code: string; readonly message: string }

/** Codes with which connections are closed. Source: event-stream.md 11.9. */
export const CLOSE = {
  NORMAL: 1000,
  UNSUPPORTED_DATA: 1003,
  INVALID_TEXT: 1007,
  TOO_BIG: 1009,
  SERVER_ERROR: 1011,
  RESTART: 1012,
  BAD_MESSAGE: 4400,
  TOKEN: 4401,
  FORBIDDEN: 4403,
  SLOW_CONSUMER: 4408,
  CURSOR_GONE: 4410,
  LIMIT: 4429,
} as const
