import type { VmDescriptor } from '../descriptor.ts'
import { joined } from '../placements.ts'
import { rank, type Contender } from '../rank.ts'
import type { PoolRequest, Refusal } from '../request.ts'
import { ARRIVING_STATES, ACTIVE_STATES } from '../state.ts'
import { grant } from './grant.ts'
import { checkedAfter, pickMachines } from './pick.ts'
import { terminateOne } from './terminate-one.ts'
import { poolRulesOf, rulesOf, type Turn } from './turn.ts'

/** How many requests of one owner are looked at, when the first of them cannot be served. */
const LOOK_AHEAD = 16

/** How many requests one transition serves at the most; what is left over is served by the cycle. */
const MOST_GRANTS = 16

/** Who waits in a group, the next first. */
async function ranked(turn: Turn, group: string): Promise<Contender[]> {
  return rank(await turn.tables.contenders(group), turn.now, poolRulesOf(turn).ageingMs)
}

/** Whose own idle machines are looked at too, where no clean one is free: a limit of theirs may have room again. */
type Idle = { readonly owner: string } | 'everybody' | 'nobody'

/**
 * Gives the free machines of some groups to those who are next.
 *
 * Source: vm-pool.md C4.
 */
export async function serveGroups(turn: Turn, groups: readonly string[], idle: Idle = 'nobody'): Promise<void> {
  if (!turn.anyWaiting) return
  let grants = 0
  for (const group of groups) {
    while (grants < MOST_GRANTS && (await serveOne(turn, group, idle))) grants += 1
  }
}

/** After a machine ended or its owner's use did: limits have room that stood in somebody's way. */
export async function serveFreed(turn: Turn, vm: VmDescriptor): Promise<void> {
  if (!turn.anyWaiting) return
  const owner = vm.boundToUser
  await serveGroups(turn, await turn.tables.waitingGroups(), owner === null ? 'nobody' : { owner })
}

/** @returns whether a request was served */
async function serveOne(turn: Turn, group: string, idle: Idle): Promise<boolean> {
  const { tables } = turn
  const rules = rulesOf(turn, group)
  if (rules.draining !== null) return false
  const anyFree = (await tables.free(group, checkedAfter(turn, rules), 1)).length > 0
  // Without a clean machine only the idle ones of an owner itself can serve it.
  const hasIdle = async (owner: string): Promise<boolean> => (await tables.evictable(group, owner)) !== null
  if (!anyFree && idle === 'nobody') return false
  if (!anyFree && typeof idle === 'object' && !(await hasIdle(idle.owner))) return false
  let cleanToo = anyFree
  for (const { owner } of await ranked(turn, group)) {
    const concerned = idle === 'everybody' || (typeof idle === 'object' && idle.owner === owner)
    if (!cleanToo && !(concerned && (await hasIdle(owner)))) continue
    const result = await serveOwner(turn, group, { owner, cleanToo })
    if (result === 'served') return true
    // A gang that is next keeps the clean ones until there are enough: otherwise it would wait for ever.
    if (result === 'reserved') cleanToo = false
  }
  return false
}

async function serveOwner(
  turn: Turn,
  group: string,
  { owner, cleanToo }: { readonly owner: string; readonly cleanToo: boolean },
): Promise<'served' | 'reserved' | 'blocked'> {
  const tried = new Set<string>()
  for (const request of await turn.tables.waiting({ group, owner }, LOOK_AHEAD)) {
    // What stopped one stops all that want the same.
    const wish = joined(request.sandbox, request.arch ?? '', String(request.count), ...request.groups)
    if (tried.has(wish)) continue
    tried.add(wish)
    const pick = await pickMachines(turn, request, { cleanToo })
    if (pick.vms !== null) {
      await grant(turn, request, pick.vms, { waited: true })
      return 'served'
    }
    if (!cleanToo) continue
    if (request.count > 1 && pick.refusals.some(({ kind }) => kind === 'no_vm')) return 'reserved'
    if (pick.refusals.every(({ kind }) => kind === 'user_limit')) return 'blocked'
  }
  return 'blocked'
}

/**
 * A machine has come to rest as `ready`: finds whom it serves.
 *
 * A clean one serves whoever is next. A dirty one serves its own owner and sandbox, or, when the group is full and others
 * are before them, it goes, so that a clean one can be made in its place.
 *
 * Source: vm-pool.md C3, C4.
 */
export async function offer(turn: Turn, vm: VmDescriptor): Promise<void> {
  if (!turn.anyWaiting) return
  if (vm.boundToUser === null || vm.sandbox === null) return await serveGroups(turn, [vm.group])
  const { group, boundToUser: owner, sandbox } = vm
  const [next] = await turn.tables.waiting({ group, owner, sandbox }, 1)
  if (await mustMakeRoom(turn, vm, next !== undefined)) {
    await terminateOne(turn, vm, 'others wait, and the group is full')
    return
  }
  if (next !== undefined && (await serveRequest(turn, next))) return
  const [blocked] = await turn.tables.waiting({ group, owner }, 1)
  if (blocked === undefined) return
  const pick = await pickMachines(turn, blocked)
  if (pick.vms === null) await evictForLimit(turn, owner, pick.refusals)
}

async function serveRequest(turn: Turn, request: PoolRequest): Promise<boolean> {
  const pick = await pickMachines(turn, request)
  if (pick.vms === null) return false
  await grant(turn, request, pick.vms, { waited: true })
  return true
}

/** Whether more owners are before the machine's own than machines are on their way to them. */
async function mustMakeRoom(turn: Turn, vm: VmDescriptor, ownWaits: boolean): Promise<boolean> {
  const { tables } = turn
  const rules = rulesOf(turn, vm.group)
  if (rules.maxTotal === 0 || rules.reuseOpportunityMs > 0) return false
  if ((await tables.countStates(vm.group, ACTIVE_STATES)) < rules.maxTotal) return false
  let ahead = 0
  for (const { owner } of await ranked(turn, vm.group)) {
    if (owner === vm.boundToUser) {
      if (ownWaits) break
      continue
    }
    const { user } = await tables.bound(vm.group, owner, '')
    if (rules.maxPerUser === 0 || user < rules.maxPerUser) ahead += 1
  }
  if (ahead === 0) return false
  const arriving = await tables.countStates(vm.group, [...ARRIVING_STATES, 'terminating'])
  const free = await tables.free(vm.group, checkedAfter(turn, rules), ahead)
  return ahead > arriving + free.length
}

/**
 * An owner must not starve because its own idle machines of other sandboxes fill its limit: the oldest of them goes, unless
 * one is going already.
 *
 * Source: vm-pool.md C3.
 */
export async function evictForLimit(turn: Turn, owner: string, refusals: readonly Refusal[]): Promise<void> {
  for (const { kind, group } of refusals) {
    if (kind !== 'user_limit' || group === null) continue
    const { maxPerUser } = rulesOf(turn, group)
    const { user, leaving } = await turn.tables.bound(group, owner, '')
    if (user - leaving < maxPerUser) return
    const oldest = await turn.tables.evictable(group, owner)
    if (oldest === null) continue
    await terminateOne(turn, oldest, 'its owner needs the room for another sandbox')
    return
  }
}
