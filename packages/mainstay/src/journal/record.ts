import type { MainstayEvent } from '../core/event.ts'
import { toJson, type Json } from '../core/json.ts'
import type { HistoryEntry } from './history.ts'

/** What becomes of a workflow together with an entry. */
export interface StatusChange {
  readonly status: 'waiting' | 'held' | 'completed' | 'failed' | 'cancelled'
  readonly wakeAt: number | null
  readonly reason: string | null
  readonly result: Json
  /** Whether a workflow that waits gives its subject's lock back. */
  readonly releasesSubject?: boolean
}

/** The records of one run of a workflow: once one of them is lost, none that was made after it may be written. */
export interface RecordLine {
  /** Why a record was lost. */
  lost: Error | undefined
}

/** With it a record also claims its workflow, which nobody has had yet. */
export interface FirstClaim {
  /** The engine that claims. */
  readonly engine: string
}

/** One indivisible addition to a workflow's history by its owner. */
export interface HistoryRecord {
  readonly workflowId: string
  readonly fence: number
  readonly at: number
  readonly entries: readonly (HistoryEntry & { readonly seq: number })[]
  readonly change?: StatusChange | undefined
  /** What is told of it, in the same transaction. */
  readonly events?: readonly MainstayEvent[] | undefined
  readonly line: RecordLine
  /** Set in the first record of a workflow that was begun before it was claimed. Such a record changes no status. */
  readonly claim?: FirstClaim | undefined
}

/** An event as a row of the outbox. */
export function outboxRow(event: MainstayEvent): { event_id: string; event: string; at: number } {
  return { event_id: event.id, event: toJson(event), at: event.occurredAt }
}

/** An entry as a row. */
export function entryRow(
  record: HistoryRecord,
  entry: HistoryRecord['entries'][number],
): {
  workflow_id: string
  seq: number
  kind: string
  key: string
  data: string
  fence: number
  at: number
} {
  return {
    workflow_id: record.workflowId,
    seq: entry.seq,
    kind: entry.kind,
    key: entry.key,
    data: toJson(entry.data),
    fence: record.fence,
    at: record.at,
  }
}

/** A reason as both databases can hold it: PostgreSQL has no place for NUL and halves of characters. */
export function reasonText(reason: string | null): string | null {
  return reason === null ? null : reason.toWellFormed().replaceAll('\0', '\uFFFD')
}
