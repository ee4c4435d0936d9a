import { nextDeadline } from './deadlines.ts'
import type { VmDescriptor } from './descriptor.ts'
import type { GroupRules } from './options.ts'

/**
 * In which indexes a machine stands, and where. A pure function of its record: that is what makes it possible to recount
 * the indexes, and the three drivers keep exactly these.
 *
 * Null means that it does not stand in that index.
 *
 * Source: vm-pool.md C1.
 */
export interface IndexEntry {
  /** Clean and ready to be handed out once its check is recent: when that passed, 0 for never. */
  readonly freeAt: number | null
  /** The same for one that is dirty: it is for its owner and sandbox. */
  readonly idleAt: number | null
  /** Dirty and idle, so that it may go when its owner needs the room: when it was given back. */
  readonly evictAt: number | null
  /** When something has to be done about it. */
  readonly deadline: number | null
  /** In use and may be taken back: its priority. */
  readonly preemptPriority: number | null
  /** Whether it counts against its owner's limits of the group. */
  readonly bound: boolean
  /** Whether it counts so only until it is destroyed. */
  readonly leaving: boolean
  /** Whether it counts as held by its owner. */
  readonly held: boolean
  /** Against whose quota of holds it counts. */
  readonly holdOwner: string | null
}

export function indexEntry(vm: VmDescriptor, rules: GroupRules, serverStartedAt: number): IndexEntry {
  // One that served its uses is given to nobody any more (C8).
  const usedUp = rules.maxUses > 0 && vm.uses >= rules.maxUses
  const fit = vm.state === 'ready' && vm.checkFails === 0 && !usedUp ? (vm.checkPassedAt ?? 0) : null
  const dirty = vm.boundToUser !== null
  const evictable = dirty && (vm.state === 'ready' || vm.state === 'check_health_failed')
  const held = vm.state === 'in_use'
  return {
    freeAt: dirty ? null : fit,
    idleAt: dirty ? fit : null,
    evictAt: evictable ? (vm.lastRelease ?? 0) : null,
    deadline: nextDeadline(vm, rules, serverStartedAt),
    preemptPriority: held && vm.preemptible && vm.preemptAt === null ? (vm.priority ?? 0) : null,
    bound: dirty && vm.state !== 'stuck',
    leaving: dirty && vm.state === 'terminating',
    held,
    holdOwner: vm.holdUntil === null ? null : vm.holdOwner,
  }
}
