import type { VmDescriptor } from './descriptor.ts'
import type { VmState } from './state.ts'
import type { PoolStore } from './store.ts'

/** Machines that are loaded in one go. */
const PAGE = 200

/** Pages that one search reads at the most; what is further on is found in a later cycle. */
const MOST_PAGES = 25

/**
 * The first machines of a group, in the order of their names, that are in one of the states and suit. Reads no further than
 * it has to.
 */
export async function findMachines(
  store: PoolStore,
  query: { readonly group: string; readonly states: readonly VmState[] },
  count: number,
  suits: (vm: VmDescriptor) => boolean = () => true,
): Promise<VmDescriptor[]> {
  const found: VmDescriptor[] = []
  let cursor: string | null = null
  for (let page = 0; page < MOST_PAGES && found.length < count; page += 1) {
    const { vms, cursor: next } = await store.list({ ...query, limit: PAGE, cursor })
    found.push(...vms.filter(suits))
    if (next === null) break
    cursor = next
  }
  return found
}

/** Idle clean machines that a group can spare, the most used and the oldest first. */
export function spareClean(vms: readonly VmDescriptor[], count: number): VmDescriptor[] {
  return vms.toSorted((a, b) => b.uses - a.uses || a.createdAt - b.createdAt).slice(0, count)
}

/** Idle dirty machines that have had their time to be asked for again, the longest idle first (C8). */
export function evictable(vms: readonly VmDescriptor[], now: number, idleForMs: number): VmDescriptor[] {
  return vms
    .filter(({ boundToUser, lastRelease }) => boundToUser !== null && now - (lastRelease ?? 0) >= idleForMs)
    .toSorted((a, b) => (a.lastRelease ?? 0) - (b.lastRelease ?? 0))
}

/** Who goes first when a group is above its maximum: what is not even made, or not ready, then clean, dirty, in use. */
const SHED_ORDER: readonly VmState[] = [
  'requested',
  'building',
  'starting',
  'check_health_failed',
  'got_ip',
  'check_health',
  'standby',
  'drained',
  'ready',
  'in_use',
]

export const SHED_STATES: readonly VmState[] = SHED_ORDER

/**
 * Whom a group that is above its maximum gives up: idle machines end, those in use end with their use. Those that are on
 * their way out already count.
 *
 * Source: vm-pool.md C20.
 */
export function shed(
  vms: readonly VmDescriptor[],
  count: number,
): { readonly end: readonly VmDescriptor[]; readonly drain: readonly VmDescriptor[] } {
  const going = vms.filter(({ state, drain }) => state === 'in_use' && drain === 'terminate').length
  const rank = (vm: VmDescriptor): number => 2 * SHED_ORDER.indexOf(vm.state) + (vm.boundToUser === null ? 0 : 1)
  const chosen = vms
    .filter(({ state, drain }) => SHED_ORDER.includes(state) && !(state === 'in_use' && drain === 'terminate'))
    .toSorted((a, b) => rank(a) - rank(b) || a.createdAt - b.createdAt)
    .slice(0, Math.max(0, count - going))
  return {
    end: chosen.filter(({ state }) => state !== 'in_use'),
    drain: chosen.filter(({ state }) => state === 'in_use'),
  }
}
