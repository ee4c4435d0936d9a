import type { Clock } from '../core/clock.ts'
import { allRecords } from './all-records.ts'
import type { VmDescriptor } from './descriptor.ts'
import type { ProviderFleet } from './provider/fleet.ts'
import { isUnserved, unservedBecause } from './rules/unserved.ts'
import type { ByMaster, PoolStore } from './store.ts'

/**
 * The names of the machines whose provider is not configured (any more), by provider: it was renamed, or taken away too soon.
 * Nobody can look at them, so they are neither stock nor handed out nor destroyed.
 *
 * Source: vm-pool.md C7, C10.
 *
 * @throws what the store throws
 */
export async function unservedMachines(
  store: Pick<PoolStore, 'list'>,
  fleet: Pick<ProviderFleet, 'serves'>,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const unserved = (await allRecords(store)).filter((vm) => !fleet.serves(vm))
  const groups = Map.groupBy(unserved, ({ provider }) => provider ?? '')
  return new Map([...groups].map(([provider, vms]) => [provider, vms.map(({ name }) => name)]))
}

/** Machines that are changed in one step. */
const BATCH = 500

/**
 * Sets machines aside whose provider is not configured, and takes those back whose provider is again: once for each leader, because
 * the providers of a process stay as they are. What becomes idle later is found when it is due.
 *
 * Source: vm-pool.md C7, C10.
 *
 * @throws what the store throws
 */
export async function sortOutUnserved(
  deps: {
    readonly store: Pick<PoolStore, 'list' | 'setAside' | 'takeBack'>
    readonly clock: Clock
    readonly providers: readonly string[]
  },
  { fence }: ByMaster,
): Promise<void> {
  const { store, clock, providers } = deps
  const records = await allRecords(store)
  const aside = records.filter((vm) => isUnserved(vm, { providers }))
  for (const [reason, vms] of Map.groupBy(aside, unservedBecause)) {
    await inBatches(vms, async (names) => await store.setAside({ names, reason, fence, now: clock.now() }))
  }
  const back = records.filter(({ state, provider }) => state === 'unserved' && providers.includes(provider ?? ''))
  await inBatches(back, async (names) => await store.takeBack({ names, fence, now: clock.now() }))
}

async function inBatches(
  vms: readonly VmDescriptor[],
  work: (names: readonly string[]) => Promise<unknown>,
): Promise<void> {
  for (let index = 0; index < vms.length; index += BATCH) {
    await work(vms.slice(index, index + BATCH).map(({ name }) => name))
  }
}

/** What that means and what to do, for people. */
export function unservedText(provider: string, names: readonly string[]): string {
  const some = names.slice(0, 3).join(', ') + (names.length > 3 ? ', …' : '')
  return (
    `The pool has ${names.length} machines of the provider ${provider} (${some}), which is not configured: they are no ` +
    'stock any more, and neither handed out nor destroyed. Give the provider its name back, or have the records forgotten with "mainstay pool delete ' +
    '--force" and destroy the machines by hand.'
  )
}
