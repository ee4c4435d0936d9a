import { parseJson, type Json } from '../core/json.ts'
import type { Queries, WorkflowTable } from '../store/index.ts'
import type { RecordedEntry } from './history.ts'
import { subjectLock } from './locks.ts'
import { readHistories } from './read-history.ts'
import type { WorkflowStatus } from './workflow.ts'
import type { Selectable } from 'kysely'

/** A workflow as an operator sees it. Times are milliseconds since the Unix epoch. */
export interface WorkflowSummary {
  readonly id: string
  readonly name: string
  readonly subject: string
  readonly status: WorkflowStatus
  readonly input: Json
  readonly result: Json
  /** Why it is held, failed or cancelled. */
  readonly reason: string | null
  readonly owner: string | null
  readonly fence: number
  readonly wakeAt: number | null
  readonly createdAt: number
  readonly finishedAt: number | null
}

export interface WorkflowFilter {
  readonly status?: WorkflowStatus
  readonly subject?: string
  readonly names?: readonly string[]
  readonly limit: number
}

/** The newest workflows first. */
export async function listWorkflows(queries: Queries, filter: WorkflowFilter): Promise<WorkflowSummary[]> {
  let query = queries.selectFrom('workflows').selectAll()
  if (filter.status !== undefined) query = query.where('status', '=', filter.status)
  if (filter.subject !== undefined) query = query.where('subject', '=', filter.subject)
  if (filter.names !== undefined) query = query.where('name', 'in', [...filter.names])
  const rows = await query.orderBy('created_at', 'desc').orderBy('id', 'desc').limit(filter.limit).execute()
  return rows.map(summary)
}

export async function findWorkflow(queries: Queries, id: string): Promise<WorkflowSummary | undefined> {
  const row = await queries.selectFrom('workflows').selectAll().where('id', '=', id).executeTakeFirst()
  return row === undefined ? undefined : summary(row)
}

/** The workflow that has a subject's lock: the others of the subject wait for it. */
export async function findSubjectHolder(queries: Queries, subject: string): Promise<WorkflowSummary | undefined> {
  const row = await queries
    .selectFrom('workflow_locks')
    .innerJoin('workflows', 'workflows.id', 'workflow_locks.workflow_id')
    .selectAll('workflows')
    .where('workflow_locks.name', '=', subjectLock(subject))
    .executeTakeFirst()
  return row === undefined ? undefined : summary(row)
}

/** Everything that was written down about a workflow, in order. */
export async function workflowHistory(queries: Queries, id: string): Promise<RecordedEntry[]> {
  const histories = await readHistories(queries, [id])
  return histories.get(id) ?? []
}

function summary(row: Selectable<WorkflowTable>): WorkflowSummary {
  return {
    id: row.id,
    name: row.name,
    subject: row.subject,
    status: row.status as WorkflowStatus,
    input: parseJson(row.input, `the input of workflow ${row.id}`),
    result: row.result === null ? null : parseJson(row.result, `the result of workflow ${row.id}`),
    reason: row.reason,
    owner: row.owner,
    fence: row.fence,
    wakeAt: row.wake_at,
    createdAt: row.created_at,
    finishedAt: row.finished_at,
  }
}
