import { allRecords } from './all-records.ts'
import type { ProviderFleet } from './provider/fleet.ts'
import type { PoolStore } from './store.ts'

/**
 * The names of the machines whose provider is not configured (any more), by provider: it was renamed, or taken away too soon.
 * Nobody can look at them, so they are neither handed out nor destroyed.
 *
 * Source: vm-pool.md C7, C10.
 *
 * @throws what the store throws
 */
export async function providerlessMachines(
  store: Pick<PoolStore, 'list'>,
  fleet: Pick<ProviderFleet, 'serves'>,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const providerless = (await allRecords(store)).filter((vm) => !fleet.serves(vm))
  const groups = Map.groupBy(providerless, ({ provider }) => provider ?? '')
  return new Map([...groups].map(([provider, vms]) => [provider, vms.map(({ name }) => name)]))
}

/** What that means and what to do, for people. */
export function providerlessText(provider: string, names: readonly string[]): string {
  const some = names.slice(0, 3).join(', ') + (names.length > 3 ? ', …' : '')
  return (
    `The pool has ${names.length} machines of the provider ${provider} (${some}), which is not configured: they are neither ` +
    'handed out nor destroyed. Give the provider its name back, or have the records forgotten with "mainstay pool delete ' +
    '--force" and destroy the machines by hand.'
  )
}
