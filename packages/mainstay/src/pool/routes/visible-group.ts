import { PoolGroupNotFoundError } from '../errors.ts'
import type { PoolStore, VmPage } from '../store.ts'
import type { Caller } from './access.ts'

/** Machines, or requests, that are looked at in one go. */
const PAGE = 1000

/**
 * Refuses a group that the caller knows nothing of: an empty list would say that it is there and empty. An admin sees every group
 * that is configured or still has rules; others one in which they have a machine or wait for one, and to them all other groups are
 * the same as none, so that nobody learns of groups by guessing.
 *
 * Source: vm-pool.md C15.
 *
 * @throws PoolGroupNotFoundError
 */
export async function requireVisibleGroup(
  store: Pick<PoolStore, 'configuration' | 'usage' | 'list' | 'requests'>,
  { isAdmin, tenant }: Caller,
  group: string,
): Promise<void> {
  if (isAdmin) {
    const { groups } = await store.configuration()
    if (groups.some(({ id }) => id === group)) return
    throw new PoolGroupNotFoundError(group)
  }
  if (tenant !== null && ((await hasMachine(store, tenant, group)) || (await waitsFor(store, tenant, group)))) return
  throw new PoolGroupNotFoundError(group, { ofCaller: true })
}

/** What counts against limits is known from indexes; what does not, as a machine that refuses to end, only from the records. */
async function hasMachine(store: Pick<PoolStore, 'usage' | 'list'>, tenant: string, group: string): Promise<boolean> {
  const [own] = await store.usage([tenant])
  if ((own?.bound[group] ?? 0) > 0) return true
  let cursor: string | null = null
  do {
    const page: VmPage = await store.list({ group, limit: PAGE, cursor })
    if (page.vms.some(({ boundToUser }) => boundToUser === tenant)) return true
    cursor = page.cursor
  } while (cursor !== null)
  return false
}

async function waitsFor(store: Pick<PoolStore, 'requests'>, tenant: string, group: string): Promise<boolean> {
  let cursor: string | null = null
  do {
    const page: Awaited<ReturnType<PoolStore['requests']>> = await store.requests({ limit: PAGE, cursor })
    if (page.requests.some(({ owner, groups }) => owner === tenant && groups.includes(group))) return true
    cursor = page.cursor
  } while (cursor !== null)
  return false
}
