import type { Queries, Store } from '../../store/index.ts'
import { toDeadLetter } from './rows.ts'
import type { DeadLetter } from './webhook.ts'

/** Keeps an event that was given up; of too many the oldest go. */
export async function addDeadLetter(queries: Queries, letter: DeadLetter, keep: number): Promise<void> {
  await queries
    .insertInto('webhook_dead_letters')
    .values({
      id: letter.id,
      webhook_id: letter.webhookId,
      event_id: letter.eventId,
      event: letter.event,
      attempts: letter.attempts,
      reason: letter.reason,
      at: letter.at,
    })
    .execute()
  const surplus = await queries
    .selectFrom('webhook_dead_letters')
    .select('id')
    .where('webhook_id', '=', letter.webhookId)
    .orderBy('id', 'desc')
    .limit(1)
    .offset(keep)
    .executeTakeFirst()
  if (surplus === undefined) return
  await queries
    .deleteFrom('webhook_dead_letters')
    .where('webhook_id', '=', letter.webhookId)
    .where('id', '<=', surplus.id)
    .execute()
}

/** Dead letters of a webhook, the oldest first. */
export async function listDeadLetters(
  store: Store,
  webhookId: string,
  { limit }: { limit: number },
): Promise<DeadLetter[]> {
  const rows = await store.read
    .selectFrom('webhook_dead_letters')
    .selectAll()
    .where('webhook_id', '=', webhookId)
    .orderBy('id')
    .limit(limit)
    .execute()
  return rows.map(toDeadLetter)
}

export async function findDeadLetter(store: Store, webhookId: string, id: string): Promise<DeadLetter | undefined> {
  const row = await store.read
    .selectFrom('webhook_dead_letters')
    .selectAll()
    .where('webhook_id', '=', webhookId)
    .where('id', '=', id)
    .executeTakeFirst()
  return row === undefined ? undefined : toDeadLetter(row)
}

/** How many dead letters each webhook has; those without any are missing. */
export async function countDeadLetters(store: Store): Promise<Map<string, number>> {
  const rows = await store.read
    .selectFrom('webhook_dead_letters')
    .select(({ fn }) => ['webhook_id', fn.countAll<number>().as('count')])
    .groupBy('webhook_id')
    .execute()
  return new Map(rows.map(({ webhook_id: id, count }) => [id, count]))
}

/** @returns whether there was one */
export async function removeDeadLetter(store: Store, webhookId: string, id: string): Promise<boolean> {
  const gone = await store.write(
    async (queries) =>
      await queries
        .deleteFrom('webhook_dead_letters')
        .where('webhook_id', '=', webhookId)
        .where('id', '=', id)
        .returning('id')
        .execute(),
  )
  return gone.length > 0
}

/** A repeated delivery of a dead letter has failed as well. */
export async function noteDeadLetter(
  store: Store,
  id: string,
  { attempts, reason }: Pick<DeadLetter, 'attempts' | 'reason'>,
): Promise<void> {
  await store.write(async (queries) => {
    await queries.updateTable('webhook_dead_letters').set({ attempts, reason }).where('id', '=', id).execute()
  })
}
