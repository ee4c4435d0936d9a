import type { MainstayEvent } from '../core/event.ts'
import { parseJson, toJson } from '../core/json.ts'
import type { Queries, Store } from './store.ts'

/** Puts events beside the change they tell of, in the same transaction; a relay brings them to the log in this order. */
export async function writeToOutbox(queries: Queries, ...events: readonly MainstayEvent[]): Promise<void> {
  if (events.length === 0) return
  await queries
    .insertInto('event_outbox')
    .values(events.map((event) => ({ event_id: event.id, event: toJson(event), at: event.occurredAt })))
    .execute()
}

/** Events that wait, oldest first. */
export async function readOutbox(queries: Queries, limit: number): Promise<{ seq: number; event: MainstayEvent }[]> {
  const rows = await queries.selectFrom('event_outbox').selectAll().orderBy('seq').limit(limit).execute()
  return rows.map((row) => ({
    seq: row.seq,
    event: parseJson(row.event, `event ${row.event_id} of the outbox`) as unknown as MainstayEvent,
  }))
}

/** Forgets events that have reached the log. */
export async function clearOutbox(store: Store, seqs: readonly number[]): Promise<void> {
  if (seqs.length === 0) return
  await store.write(async (queries) => {
    await queries
      .deleteFrom('event_outbox')
      .where('seq', 'in', [...seqs])
      .execute()
  })
}
