import { parseJson } from '../core/json.ts'
import type { Queries } from '../store/index.ts'
import type { RecordedEntry } from './history.ts'

/** The histories of some workflows, in order. */
export async function readHistories(queries: Queries, ids: readonly string[]): Promise<Map<string, RecordedEntry[]>> {
  const histories = new Map<string, RecordedEntry[]>(ids.map((id) => [id, []]))
  if (ids.length === 0) return histories
  const rows = await queries
    .selectFrom('workflow_history')
    .selectAll()
    .where('workflow_id', 'in', [...ids])
    .orderBy('workflow_id')
    .orderBy('seq')
    .execute()
  for (const row of rows) {
    const { workflow_id: id, seq, kind, key, fence, at } = row
    const data = parseJson(row.data, `entry ${seq} of workflow ${id}`)
    histories.get(id)?.push({ seq, kind, key, fence, at, data } as RecordedEntry)
  }
  return histories
}
