import { parseJson, toJson } from '../../core/json.ts'
import type { VmDescriptor } from '../descriptor.ts'
import { indexEntry } from '../index-entry.ts'
import type { GroupRules } from '../options.ts'
import type { PoolRequest } from '../request.ts'

/** A machine's row without its name, in the order of the statements. */
export function vmRow(vm: VmDescriptor, rules: GroupRules, serverStartedAt: number): (string | number | null)[] {
  const entry = indexEntry(vm, rules, serverStartedAt)
  return [
    vm.group,
    vm.state,
    vm.stateSince,
    entry.freeAt,
    entry.idleAt,
    entry.evictAt,
    entry.deadline,
    entry.preemptPriority,
    entry.bound || entry.held ? (vm.boundToUser ?? '') : null,
    entry.bound || entry.held ? (vm.sandbox ?? '') : null,
    entry.leaving ? 1 : 0,
    entry.held ? 1 : 0,
    entry.held ? vm.arch : null,
    entry.holdOwner,
    vm.ip,
    vm.taskId,
    vm.requestId,
    toJson(vm),
  ]
}

/** The columns of {@link vmRow}. */
export const VM_COLUMNS = [
  'grp',
  'state',
  'state_since',
  'free_at',
  'idle_at',
  'evict_at',
  'deadline',
  'preempt_priority',
  'bound_user',
  'bound_sandbox',
  'leaving',
  'held',
  'held_arch',
  'hold_owner',
  'ip',
  'task_id',
  'request_id',
  'descriptor',
] as const

export function readVmRow({ descriptor }: { readonly descriptor: string }): VmDescriptor {
  return parseJson(descriptor, 'A machine of the pool') as unknown as VmDescriptor
}

export function readRequestRow({ request }: { readonly request: string }): PoolRequest {
  return parseJson(request, 'A request of the pool') as unknown as PoolRequest
}
