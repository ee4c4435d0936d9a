import type { Selectable } from 'kysely'

import { parseJson, type Json } from '../core/json.ts'
import type { WorkflowTable } from '../store/index.ts'
import type { RecordedEntry } from './history.ts'

/** A workflow that was added and that, as far as its adder knows, nobody has claimed. */
export interface EnqueuedWorkflow {
  readonly id: string
  readonly name: string
  readonly version: number
  readonly subject: string
  readonly input: Json
  readonly createdAt: number
  readonly context: Json
}

/** A workflow that an engine owns. */
export interface ClaimedWorkflow extends EnqueuedWorkflow {
  /** The fencing token of this claim. */
  readonly fence: number
  readonly cancelReason: string | null
  readonly history: readonly RecordedEntry[]
}

/** What of a row does not change once it was added. */
export type EnqueuedRow = Pick<
  Selectable<WorkflowTable>,
  'id' | 'name' | 'version' | 'subject' | 'input' | 'created_at' | 'context'
>

/** A row as its owner reads it. @throws InvalidInputError when it was damaged */
export function enqueuedFromRow(row: EnqueuedRow): EnqueuedWorkflow {
  return {
    id: row.id,
    name: row.name,
    version: row.version,
    subject: row.subject,
    input: parseJson(row.input, `the input of workflow ${row.id}`),
    createdAt: row.created_at,
    context: row.context === null ? null : parseJson(row.context, `the context of workflow ${row.id}`),
  }
}

/** A new workflow as the engine has it that is the first to claim it: nothing of it is written down yet. */
export function firstClaimed(enqueued: EnqueuedWorkflow): ClaimedWorkflow {
  return { ...enqueued, fence: 1, cancelReason: null, history: [] }
}
