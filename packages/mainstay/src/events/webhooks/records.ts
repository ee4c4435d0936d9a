import type { Store } from '../../store/index.ts'
import { progressColumns, toWebhook, webhookColumns } from './rows.ts'
import type { Webhook } from './webhook.ts'

/** What can be changed of a webhook. */
export type WebhookChange = Partial<Omit<Webhook, 'id' | 'scope' | 'createdAt' | 'updatedAt' | 'progress'>>

/** All webhooks, the oldest first. */
export async function listWebhooks(store: Store): Promise<Webhook[]> {
  const rows = await store.read.selectFrom('webhooks').selectAll().orderBy('created_at').orderBy('id').execute()
  return rows.map(toWebhook)
}

export async function findWebhook(store: Store, id: string): Promise<Webhook | undefined> {
  const row = await store.read.selectFrom('webhooks').selectAll().where('id', '=', id).executeTakeFirst()
  return row === undefined ? undefined : toWebhook(row)
}

/** @returns false when there are `limit` already; one with the same id is left as it is */
export async function addWebhook(store: Store, webhook: Webhook, { limit }: { limit: number }): Promise<boolean> {
  return await store.write(async (queries) => {
    const ids = await queries.selectFrom('webhooks').select('id').limit(limit).execute()
    if (ids.length >= limit) return false
    const free = { lease_owner: null, lease_until: 0, fence: 0 }
    await queries
      .insertInto('webhooks')
      .values({ ...webhookColumns(webhook), ...progressColumns(webhook.progress), ...free })
      .onConflict((conflict) => conflict.column('id').doNothing())
      .execute()
    return true
  })
}

/**
 * Changes a webhook. Whoever delivers for it loses the right to, and it is taken up anew as it is now; what failed
 * before does not count any more, because somebody has seen to it.
 *
 * @returns the webhook as it is now, or undefined when there is none
 */
export async function changeWebhook(
  store: Store,
  id: string,
  change: (before: Webhook) => WebhookChange,
  now: number,
): Promise<Webhook | undefined> {
  return await store.write(async (queries) => {
    const row = await queries.selectFrom('webhooks').selectAll().where('id', '=', id).executeTakeFirst()
    if (row === undefined) return undefined
    const before = toWebhook(row)
    const progress = { ...before.progress, failures: 0, nextAttemptAt: null, failingSince: null }
    const changed = await queries
      .updateTable('webhooks')
      .set({ ...webhookColumns({ ...before, ...change(before), updatedAt: now }), ...progressColumns(progress) })
      .set((eb) => ({ lease_owner: null, lease_until: 0, fence: eb('fence', '+', 1) }))
      .where('id', '=', id)
      .returningAll()
      .executeTakeFirstOrThrow()
    return toWebhook(changed)
  })
}

/** Removes a webhook with its dead letters. @returns whether there was one */
export async function removeWebhook(store: Store, id: string): Promise<boolean> {
  const gone = await store.write(
    async (queries) => await queries.deleteFrom('webhooks').where('id', '=', id).returning('id').execute(),
  )
  return gone.length > 0
}
