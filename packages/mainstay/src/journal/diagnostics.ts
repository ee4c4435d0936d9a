import { channel } from 'node:diagnostics_channel'

import type { HistoryEntry } from './history.ts'

/**
 * What the journal does, as it does it, on Node's diagnostics channels: tracing tools listen here, and the crash tests
 * end the process here. Nobody listening costs one comparison.
 */
const recorded = channel('mainstay.journal.recorded')
const acting = channel('mainstay.journal.acting')
const acted = channel('mainstay.journal.acted')

export interface RecordedMessage {
  readonly workflowId: string
  readonly entries: readonly HistoryEntry[]
  /** The status that the workflow was given with the entries, if any. */
  readonly status: string | undefined
}

export interface ActMessage {
  readonly workflowId: string
  readonly key: string
  readonly attempt: number
}

/** The entries are on disk; whoever waits for them has not been told yet. */
export function tellRecorded(message: RecordedMessage): void {
  if (recorded.hasSubscribers) recorded.publish(message)
}

/** The intent is on disk and the act begins. */
export function tellActing(message: ActMessage): void {
  if (acting.hasSubscribers) acting.publish(message)
}

/** The act returned or failed and nothing of it is on disk yet. */
export function tellActed(message: ActMessage): void {
  if (acted.hasSubscribers) acted.publish(message)
}
