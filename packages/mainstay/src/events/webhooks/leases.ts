import type { Queries, Store } from '../../store/index.ts'
import { addDeadLetter } from './dead-letters.ts'
import { progressColumns, toWebhook } from './rows.ts'
import type { DeadLetter, Lease, Progress, Webhook } from './webhook.ts'

/**
 * Who delivers for a webhook.
 *
 * Invariant: of all processes at most one writes down progress. A lease is taken by raising the fence, every write
 * names the fence, and a change by an admin raises it too, so that whoever delivers begins anew with the change. A
 * process that was only paused, and wakes up after its lease, can send one delivery that somebody else sends too;
 * it can never set the progress back.
 *
 * Source: event-stream.md R39.
 */

/** The end of leases that no clock ends, for a store that one process has for itself. */
export const FOR_EVER = Number.MAX_SAFE_INTEGER

export interface Claimed {
  readonly webhook: Webhook
  readonly lease: Lease
}

/**
 * Takes the active webhooks that nobody delivers for. Looking costs a read; only when there are any is a write worth its
 * flush.
 *
 * @param alone whether no other process uses the store, so that every other owner is one of the past
 */
export async function claimWebhooks(
  store: Store,
  { owner, now, until, alone }: { owner: string; now: number; until: number; alone: boolean },
): Promise<Claimed[]> {
  const free = (queries: Queries) =>
    queries
      .selectFrom('webhooks')
      .select(['id', 'fence'])
      .where('active', '=', 1)
      .where((eb) =>
        eb.or([
          eb('lease_owner', 'is', null),
          // An own lease that was renewed too late is still an own one as long as nobody else has taken it.
          eb.and([eb('lease_owner', '!=', owner), ...(alone ? [] : [eb('lease_until', '<', now)])]),
        ]),
      )
  if ((await free(store.read).limit(1).execute()).length === 0) return []
  return await store.write(async (queries) => {
    const claimed: Claimed[] = []
    for (const { id, fence } of await free(queries).execute()) {
      const row = await queries
        .updateTable('webhooks')
        .set({ lease_owner: owner, lease_until: until, fence: fence + 1 })
        .where('id', '=', id)
        .where('fence', '=', fence)
        .returningAll()
        .executeTakeFirst()
      // Without a row another process was quicker.
      if (row !== undefined)
        claimed.push({ webhook: toWebhook(row), lease: { webhookId: id, owner, fence: row.fence } })
    }
    return claimed
  })
}

/** Lengthens leases. @returns the ids of those webhooks that the owner still has, with their fences */
export async function renewLeases(store: Store, owner: string, until: number): Promise<Map<string, number>> {
  const rows = await store.write(
    async (queries) =>
      await queries
        .updateTable('webhooks')
        .set({ lease_until: until })
        .where('lease_owner', '=', owner)
        .returning(['id', 'fence'])
        .execute(),
  )
  return new Map(rows.map(({ id, fence }) => [id, fence]))
}

/** Gives all leases back, so that another process need not wait for their end. */
export async function releaseLeases(store: Store, owner: string): Promise<void> {
  await store.write(async (queries) => {
    await queries
      .updateTable('webhooks')
      .set({ lease_owner: null, lease_until: 0 })
      .where('lease_owner', '=', owner)
      .execute()
  })
}

/** Gives one lease back, if it is still held. */
export async function releaseLease(store: Store, { webhookId, owner, fence }: Lease): Promise<void> {
  await store.write(async (queries) => {
    await queries
      .updateTable('webhooks')
      .set({ lease_owner: null, lease_until: 0 })
      .where('id', '=', webhookId)
      .where('lease_owner', '=', owner)
      .where('fence', '=', fence)
      .execute()
  })
}

/** What a delivery changes, in one moment. */
export interface Outcome {
  readonly progress: Progress
  /** Set when the webhook is switched off. */
  readonly inactiveReason?: string | undefined
  /** Set when the event was given up. */
  readonly deadLetter?: DeadLetter | undefined
}

/**
 * Writes down what came of a delivery, all of it or nothing.
 *
 * @param keep how many dead letters a webhook may have; the oldest go first
 * @returns false when the lease was lost, and nothing was written
 */
export async function recordOutcome(
  store: Store,
  lease: Lease,
  { progress, inactiveReason, deadLetter }: Outcome,
  { keep }: { keep: number },
): Promise<boolean> {
  const off = { active: 0, inactive_reason: inactiveReason ?? null, lease_owner: null, lease_until: 0 }
  return await store.write(async (queries) => {
    const written = await queries
      .updateTable('webhooks')
      .set({ ...progressColumns(progress), ...(inactiveReason === undefined ? {} : off) })
      .where('id', '=', lease.webhookId)
      .where('lease_owner', '=', lease.owner)
      .where('fence', '=', lease.fence)
      .returning('id')
      .execute()
    if (written.length === 0) return false
    if (deadLetter !== undefined) await addDeadLetter(queries, deadLetter, keep)
    return true
  })
}
