import type { VmDescriptor } from './descriptor.ts'
import { indexEntry } from './index-entry.ts'
import type { GroupRules } from './options.ts'

/** Several texts as one that can be taken apart again, whatever they hold: `4:base3:bob`. Lengths are in bytes. */
export function joined(...parts: readonly string[]): string {
  return parts.map((part) => `${Buffer.byteLength(part)}:${part}`).join('')
}

/** A machine's place in a sorted index. */
export interface Placement {
  readonly index: string
  readonly score: number
}

/** A counter that a machine adds one to. */
export interface Count {
  readonly table: string
  readonly field: string
}

/** Names of the indexes; Redis uses them as keys behind its prefix. */
export const indexKey = {
  /** All names, for pages. */
  names: 'n:names',
  due: 'n:due',
  state: (group: string, state: string) => `n:state::${joined(group, state)}`,
  free: (group: string) => `n:free::${joined(group)}`,
  idle: (group: string, owner: string, sandbox: string) => `n:idle::${joined(group, owner, sandbox)}`,
  evict: (group: string, owner: string) => `n:evict::${joined(group, owner)}`,
  preempt: (group: string) => `n:preempt::${joined(group)}`,
  ip: (ip: string) => `n:ip::${ip}`,
  task: (taskId: string) => `n:task::${taskId}`,
  request: (requestId: string) => `n:leases::${requestId}`,
}

export const countKey = {
  heldByUser: 'n:held:user',
  heldBySandbox: 'n:held:sandbox',
  heldByArch: 'n:held:arch',
  boundToUser: (group: string) => `n:bound:user::${joined(group)}`,
  boundToSandbox: (group: string) => `n:bound:sandbox::${joined(group)}`,
  leaving: (group: string) => `n:leaving::${joined(group)}`,
  holds: 'n:holds',
}

/**
 * Every index and counter in which a machine stands: the indexes of the pool are the sum of these over all machines, and
 * nothing else.
 *
 * Source: vm-pool.md C1.
 */
export function placements(
  vm: VmDescriptor,
  rules: GroupRules,
  serverStartedAt: number,
): { readonly indexes: readonly Placement[]; readonly counts: readonly Count[] } {
  const entry = indexEntry(vm, rules, serverStartedAt)
  const { group } = vm
  const owner = vm.boundToUser ?? ''
  const sandbox = vm.sandbox ?? ''
  const indexes: Placement[] = []
  const counts: Count[] = []
  const place = (index: string, score: number | null): void => {
    if (score !== null) indexes.push({ index, score })
  }
  place(indexKey.names, 0)
  place(indexKey.state(group, vm.state), vm.stateSince)
  place(indexKey.free(group), entry.freeAt)
  place(indexKey.idle(group, owner, sandbox), entry.idleAt)
  place(indexKey.evict(group, owner), entry.evictAt)
  place(indexKey.preempt(group), entry.preemptPriority)
  place(indexKey.due, entry.deadline)
  if (vm.ip !== null) place(indexKey.ip(vm.ip), 0)
  if (vm.taskId !== null) place(indexKey.task(vm.taskId), 0)
  if (vm.requestId !== null) place(indexKey.request(vm.requestId), 0)
  if (entry.held) {
    counts.push({ table: countKey.heldByUser, field: owner })
    counts.push({ table: countKey.heldBySandbox, field: joined(owner, sandbox) })
    if (vm.arch !== null) counts.push({ table: countKey.heldByArch, field: vm.arch })
  }
  if (entry.bound) {
    counts.push({ table: countKey.boundToUser(group), field: owner })
    counts.push({ table: countKey.boundToSandbox(group), field: joined(owner, sandbox) })
  }
  if (entry.leaving) counts.push({ table: countKey.leaving(group), field: owner })
  if (entry.holdOwner !== null) counts.push({ table: countKey.holds, field: entry.holdOwner })
  return { indexes, counts }
}
