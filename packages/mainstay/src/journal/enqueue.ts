import type { Insertable } from 'kysely'

import { type RequestContext, currentContext } from '../core/context.ts'
import { toJson, type Json } from '../core/json.ts'
import type { Queries, Store, WorkflowTable } from '../store/index.ts'
import { enqueuedFromRow, type EnqueuedRow, type EnqueuedWorkflow } from './claimed-workflow.ts'
import { WorkflowEndedError, WorkflowNotFoundError } from './errors.ts'

export interface NewWorkflow {
  readonly id: string
  readonly name: string
  readonly version: number
  /** What the workflow is about: two workflows with the same subject never run at the same time. */
  readonly subject: string
  readonly input: Json
}

/**
 * Adds a workflow in the caller's transaction: it exists if and only if the rest of the transaction does.
 *
 * @returns what an engine can be told of once the transaction is on disk, so that it need not look
 */
export async function enqueueWorkflow(queries: Queries, workflow: NewWorkflow, now: number): Promise<EnqueuedWorkflow> {
  const row = newRow(workflow, now)
  await queries.insertInto('workflows').values(row).execute()
  return enqueuedFromRow(row)
}

/** The same for a workflow with which nothing else is stored: one statement, so on PostgreSQL one round trip, not three. */
export async function enqueueAlone(store: Store, workflow: NewWorkflow, now: number): Promise<EnqueuedWorkflow> {
  const row = newRow(workflow, now)
  const { sql, parameters } = store.read.insertInto('workflows').values(row).compile()
  await store.writeStatement(sql, parameters)
  return enqueuedFromRow(row)
}

function newRow(workflow: NewWorkflow, now: number): Insertable<WorkflowTable> & EnqueuedRow {
  return {
    id: workflow.id,
    name: workflow.name,
    version: workflow.version,
    subject: workflow.subject,
    input: toJson(workflow.input),
    status: 'pending',
    owner: null,
    fence: 0,
    wake_at: now,
    cancel_reason: null,
    reason: null,
    result: null,
    context: carriedContext(currentContext()),
    created_at: now,
    updated_at: now,
    finished_at: null,
  }
}

/**
 * Leaves a signal for a workflow and wakes it.
 *
 * Whether it runs, waits or has yet to begin does not matter: the signal is kept until it is asked for.
 *
 * @throws WorkflowNotFoundError, WorkflowEndedError
 */
export async function signalWorkflow(
  queries: Queries,
  signal: { id: string; workflowId: string; name: string; data: Json },
  now: number,
): Promise<void> {
  await wake(queries, signal.workflowId, now)
  await queries
    .insertInto('workflow_signals')
    .values({ id: signal.id, workflow_id: signal.workflowId, name: signal.name, data: toJson(signal.data), at: now })
    .execute()
}

/**
 * Asks a workflow to stop where it is. Steps that run are aborted; nothing is undone.
 *
 * @throws WorkflowNotFoundError, WorkflowEndedError
 */
export async function cancelWorkflow(
  queries: Queries,
  { workflowId, reason }: { workflowId: string; reason: string },
  now: number,
): Promise<void> {
  await wake(queries, workflowId, now)
  await queries.updateTable('workflows').set({ cancel_reason: reason }).where('id', '=', workflowId).execute()
}

/**
 * Sets the time at which the workflow is due to now, even while it runs: parking keeps it (see `journal-store.ts`), so
 * a wake-up that meets a workflow on its way to sleep is not lost.
 */
async function wake(queries: Queries, workflowId: string, now: number): Promise<void> {
  const row = await queries
    .updateTable('workflows')
    .set({ wake_at: now })
    .where('id', '=', workflowId)
    .where('finished_at', 'is', null)
    .returning('id')
    .executeTakeFirst()
  if (row !== undefined) return
  const ended = await queries.selectFrom('workflows').select('status').where('id', '=', workflowId).executeTakeFirst()
  if (ended === undefined) throw new WorkflowNotFoundError(workflowId)
  throw new WorkflowEndedError(workflowId, ended.status)
}

/** Background work carries who asked for it, but never the token that was shown. */
function carriedContext(context: RequestContext | undefined): string | null {
  return context === undefined ? null : toJson({ ...context, authToken: null })
}
