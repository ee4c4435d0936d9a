import { type RequestContext, currentContext } from '../core/context.ts'
import { toJson, type Json } from '../core/json.ts'
import type { Queries } from '../store/index.ts'
import { WorkflowEndedError, WorkflowNotFoundError } from './errors.ts'

export interface NewWorkflow {
  readonly id: string
  readonly name: string
  readonly version: number
  /** What the workflow is about: two workflows with the same subject never run at the same time. */
  readonly subject: string
  readonly input: Json
}

/** Adds a workflow in the caller's transaction: it exists if and only if the rest of the transaction does. */
export async function enqueueWorkflow(queries: Queries, workflow: NewWorkflow, now: number): Promise<void> {
  await queries
    .insertInto('workflows')
    .values({
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
    })
    .execute()
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
