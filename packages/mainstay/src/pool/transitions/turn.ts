import type { Ids } from '../../core/ids.ts'
import type { ChangeKind, PoolChange } from '../change.ts'
import type { VmDescriptor } from '../descriptor.ts'
import { PoolGroupNotFoundError, PoolMasterFencedError, VmNotFoundError, VmStateError } from '../errors.ts'
import { DEFAULT_GROUP_RULES, type GroupRules, type PoolRules } from '../options.ts'
import type { PoolRequest } from '../request.ts'
import { mayStart, type VmState, type VmTransition } from '../state.ts'
import type { Batch } from '../store.ts'
import type { PoolTables, Settings } from './tables.ts'

/** One transition under way: its tables, its time, the rules it goes by, and what it has changed so far. */
export interface Turn {
  readonly tables: PoolTables
  readonly now: number
  readonly settings: Settings
  readonly changes: PoolChange[]
  readonly ids: Ids
  /** Whether a request waits; set when this transition queues one. */
  anyWaiting: boolean
}

export async function beginTurn(tables: PoolTables, ids: Ids, now: number): Promise<Turn> {
  const settings = await tables.settings()
  return { tables, now, settings, changes: [], ids, anyWaiting: settings.anyWaiting }
}

export function poolRulesOf(turn: Turn): PoolRules {
  return turn.settings.configuration.pool
}

/** A group's rules; those of a group that the configuration does not know are the defaults. */
export function rulesOf(turn: Turn, group: string): GroupRules {
  const rules = turn.settings.configuration.groups.find(({ id }) => id === group)
  return rules ?? { ...DEFAULT_GROUP_RULES, id: group }
}

/** @throws PoolGroupNotFoundError */
export function requireGroup(turn: Turn, group: string): GroupRules {
  const rules = turn.settings.configuration.groups.find(({ id }) => id === group)
  if (rules === undefined) throw new PoolGroupNotFoundError(group)
  return rules
}

/** @throws PoolMasterFencedError when another master leads; an operator (null) always may */
export function requireFence(turn: Turn, fence: number | null): void {
  if (fence !== null && fence !== turn.settings.leader.fence) throw new PoolMasterFencedError(fence)
}

/** @throws VmNotFoundError */
export async function requireVm(turn: Turn, name: string): Promise<VmDescriptor> {
  const vm = await turn.tables.vm(name)
  if (vm === null) throw new VmNotFoundError(name)
  return vm
}

/** @throws VmNotFoundError, VmStateError */
export async function requireState(
  turn: Turn,
  name: string,
  transition: VmTransition,
  what: string,
): Promise<VmDescriptor> {
  const vm = await requireVm(turn, name)
  if (!mayStart(transition, vm.state)) throw new VmStateError(name, vm.state, what)
  return vm
}

/** Writes a machine with some fields changed, and remembers since when it is in its state. */
export async function change(
  turn: Turn,
  vm: VmDescriptor,
  fields: Partial<VmDescriptor> & { readonly state?: VmState },
): Promise<VmDescriptor> {
  const moved = fields.state !== undefined && fields.state !== vm.state
  const after = { ...vm, ...(moved ? { stateSince: turn.now } : {}), ...fields }
  await turn.tables.save(vm, after)
  return after
}

/** Remembers what happened to a machine. `before` tells whose it was. */
export function tellVm(
  turn: Turn,
  kind: ChangeKind,
  before: VmDescriptor,
  more: { readonly from?: VmState | null; readonly to?: VmState | null; readonly reason?: string | null } = {},
): void {
  turn.changes.push({
    id: turn.ids.ordered(),
    kind,
    at: turn.now,
    vm: before.name,
    group: before.group,
    from: more.from === undefined ? before.state : more.from,
    to: more.to === undefined ? before.state : more.to,
    ip: before.ip,
    owner: before.boundToUser,
    taskId: before.taskId,
    requestId: before.requestId,
    worker: before.worker,
    reason: more.reason ?? null,
  })
}

export function tellRequest(turn: Turn, kind: ChangeKind, request: PoolRequest, reason: string | null = null): void {
  turn.changes.push({
    id: turn.ids.ordered(),
    kind,
    at: turn.now,
    vm: null,
    group: request.groups[0] ?? null,
    from: null,
    to: null,
    ip: null,
    owner: request.owner,
    taskId: request.taskId,
    requestId: request.id,
    worker: request.worker,
    reason,
  })
}

/**
 * Does something to each of several machines.
 *
 * @param one returns null when it was done, or why not
 */
export async function eachVm(
  turn: Turn,
  names: readonly string[],
  one: (vm: VmDescriptor) => Promise<string | null>,
): Promise<Omit<Batch, 'changes'>> {
  const refused: { name: string; because: string }[] = []
  for (const name of names) {
    const vm = await turn.tables.vm(name)
    const because = vm === null ? 'it is not in the pool' : await one(vm)
    if (because !== null) refused.push({ name, because })
  }
  return { refused }
}

/** Why a transition may not start with this machine; null when it may. */
export function refusal(transition: VmTransition, vm: VmDescriptor): string | null {
  return mayStart(transition, vm.state) ? null : `it is ${vm.state}`
}
