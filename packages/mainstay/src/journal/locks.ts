import type { Queries } from '../store/index.ts'

/** The lock that keeps two workflows of one subject apart. */
export function subjectLock(subject: string): string {
  return `subject:${subject}`
}

/** Takes the subjects' locks where they are free. @returns ids of the workflows that hold theirs */
export async function takeSubjects(
  queries: Queries,
  workflows: readonly { id: string; subject: string }[],
  now: number,
): Promise<string[]> {
  await queries
    .insertInto('workflow_locks')
    .values(workflows.map(({ id, subject }) => ({ name: subjectLock(subject), workflow_id: id, at: now })))
    .onConflict((conflict) => conflict.column('name').doNothing())
    .execute()
  const held = await queries
    .selectFrom('workflow_locks')
    .select('workflow_id')
    .where(
      'name',
      'in',
      workflows.map(({ subject }) => subjectLock(subject)),
    )
    .execute()
  const holders = new Set(held.map((row) => row.workflow_id))
  return workflows.map(({ id }) => id).filter((id) => holders.has(id))
}

/** Takes a lock for a workflow. @returns whether the workflow has it now */
export async function takeLock(queries: Queries, lock: string, workflowId: string, now: number): Promise<boolean> {
  await queries
    .insertInto('workflow_locks')
    .values({ name: lock, workflow_id: workflowId, at: now })
    .onConflict((conflict) => conflict.column('name').doNothing())
    .execute()
  const row = await queries
    .selectFrom('workflow_locks')
    .select('workflow_id')
    .where('name', '=', lock)
    .executeTakeFirst()
  return row?.workflow_id === workflowId
}
