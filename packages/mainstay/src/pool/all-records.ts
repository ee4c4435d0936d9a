import type { VmDescriptor } from './descriptor.ts'
import type { PoolStore } from './store.ts'

/** How many records are read at one time. */
const PAGE = 1000

/** Every machine of the pool, page by page. @throws what the store throws; the signal's reason */
export async function allRecords(store: Pick<PoolStore, 'list'>, signal?: AbortSignal): Promise<VmDescriptor[]> {
  const found: VmDescriptor[] = []
  for (let cursor: string | null = null; ;) {
    signal?.throwIfAborted()
    const page: Awaited<ReturnType<PoolStore['list']>> = await store.list({ limit: PAGE, cursor })
    found.push(...page.vms)
    if (page.cursor === null) return found
    cursor = page.cursor
  }
}
