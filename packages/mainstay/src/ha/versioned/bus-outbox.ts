import type { Queries, Store } from '../../store/index.ts'
import type { BusMessage } from './bus-message.ts'

/** Messages that wait for the bus beside the records that they tell of. Times are milliseconds since the Unix epoch. */

/** Puts messages beside the change they tell of, in the same transaction; they leave in this order. */
export async function writeToBusOutbox(
  queries: Queries,
  messages: readonly BusMessage[],
  nowMs: number,
): Promise<void> {
  if (messages.length === 0) return
  const rows = messages.map(({ priority, body }) => ({ priority, body, at: nowMs }))
  await queries.insertInto('bus_outbox').values(rows).execute()
}

export interface WaitingMessage extends BusMessage {
  readonly seq: number
}

/**
 * Takes the oldest messages for this process alone until `untilMs`; who dies with them gives them back by that.
 * Nothing is taken while another process sends, so that they leave in their order.
 */
export async function takeFromBusOutbox(
  store: Store,
  { limit, nowMs, untilMs }: { limit: number; nowMs: number; untilMs: number },
): Promise<WaitingMessage[]> {
  // Looked at before a write is asked for: mostly there is nothing.
  const first = await store.read.selectFrom('bus_outbox').select('seq').limit(1).executeTakeFirst()
  if (first === undefined) return []
  return await store.write(async (queries) => {
    const oldest = queries.selectFrom('bus_outbox').selectAll().orderBy('seq').limit(limit)
    const rows = await (store.kind === 'postgres' ? oldest.forUpdate() : oldest).execute()
    if (rows.length === 0 || rows.some((row) => row.taken_until > nowMs)) return []
    const seqs = rows.map(({ seq }) => seq)
    await queries.updateTable('bus_outbox').set({ taken_until: untilMs }).where('seq', 'in', seqs).execute()
    return rows.map(({ seq, priority, body }) => ({ seq, priority: priority === 'error' ? 'error' : 'info', body }))
  })
}

/** Forgets messages that the bus has, and gives back those that it has not. */
export async function settleBusOutbox(
  store: Store,
  { sent, unsent }: { sent: readonly number[]; unsent: readonly number[] },
): Promise<void> {
  if (sent.length === 0 && unsent.length === 0) return
  await store.write(async (queries) => {
    if (sent.length > 0)
      await queries
        .deleteFrom('bus_outbox')
        .where('seq', 'in', [...sent])
        .execute()
    if (unsent.length === 0) return
    await queries
      .updateTable('bus_outbox')
      .set({ taken_until: 0 })
      .where('seq', 'in', [...unsent])
      .execute()
  })
}

/** Forgets what has waited too long. @returns how many messages */
export async function trimBusOutbox(store: Store, bornBeforeMs: number): Promise<number> {
  // Only the oldest is looked at while none is too old: while the bus is away they become many.
  const oldest = await store.read.selectFrom('bus_outbox').select('at').orderBy('seq').limit(1).executeTakeFirst()
  if (oldest === undefined || oldest.at >= bornBeforeMs) return 0
  const { numDeletedRows } = await store.write(
    async (queries) => await queries.deleteFrom('bus_outbox').where('at', '<', bornBeforeMs).executeTakeFirstOrThrow(),
  )
  return Number(numDeletedRows)
}
