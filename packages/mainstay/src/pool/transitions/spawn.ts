import { newDescriptor, type VmDescriptor } from '../descriptor.ts'
import { VmExistsError } from '../errors.ts'
import { LAST_SPAWN, parseSeconds, secondsText } from '../seconds.ts'
import { ACTIVE_STATES, VM_STATES, type VmState } from '../state.ts'
import type { AddVm, Building, RequestSpawn, SpawnFailed, SpawnOutcome, SpawnRefusalKind, Spawned } from '../store.ts'
import { terminateOne } from './terminate-one.ts'
import { dropOne } from './terminate.ts'
import { change, requireFence, requireGroup, requireState, tellVm, type Turn } from './turn.ts'

type Outcome = SpawnOutcome extends infer Each ? (Each extends unknown ? Omit<Each, 'changes'> : never) : never

/** On their way from a provider, each by a spawn of its own. */
const SPAWNING: readonly VmState[] = ['requested', 'building', 'starting']

/** Source: vm-pool.md A6.5 (the four limits, in their order and with their signs), C6. */
export async function requestSpawn(turn: Turn, input: RequestSpawn): Promise<Outcome> {
  requireFence(turn, input.fence)
  const { tables, now } = turn
  const { name, group, provider } = input
  const rules = requireGroup(turn, group)
  await requireUnused(turn, name)
  if (rules.draining !== null) return refused('draining', 0, 0)
  const active = await tables.countStates(group, ACTIVE_STATES)
  if (rules.maxTotal > 0 && active >= rules.maxTotal) return refused('max_total', rules.maxTotal, active)
  const last = parseSeconds(await tables.info(group, LAST_SPAWN))
  if (input.ignoreRate !== true) {
    if (last !== null && now - last < rules.spawnIntervalMs)
      return refused('interval', rules.spawnIntervalMs, now - last)
    const spawning = await tables.countStates(group, SPAWNING)
    if (rules.maxSpawns > 0 && spawning >= rules.maxSpawns) return refused('max_spawns', rules.maxSpawns, spawning)
  }
  const all = await tables.countStates(group, VM_STATES)
  if (rules.maxTotal > 0 && all >= 2 * rules.maxTotal) return refused('failsafe', 2 * rules.maxTotal, all)
  const vm = newDescriptor({ name, group, provider, state: 'requested', createdAt: now })
  await tables.save(null, vm)
  await tables.setInfo(group, LAST_SPAWN, secondsText(now))
  tellVm(turn, 'vm.requested', vm, { from: null })
  return { outcome: 'requested', vm }
}

function refused(kind: SpawnRefusalKind, limit: number, count: number): Outcome {
  return { outcome: 'refused', kind, limit, count }
}

async function requireUnused(turn: Turn, name: string): Promise<void> {
  const existing = await turn.tables.vm(name)
  if (existing !== null) throw new VmExistsError(name, existing.group)
}

export async function building(turn: Turn, input: Building): Promise<void> {
  const vm = await requireState(turn, input.name, 'building', 'be built')
  const { provider, providerId } = input
  await change(turn, vm, { state: 'building', provider, providerId: providerId ?? vm.providerId })
  tellVm(turn, 'vm.building', vm, { to: 'building' })
}

export async function spawned(turn: Turn, input: Spawned): Promise<void> {
  const vm = await requireState(turn, input.name, 'spawned', 'join the pool')
  await change(turn, vm, {
    state: 'got_ip',
    ip: input.ip,
    providerId: input.providerId ?? vm.providerId,
    providerData: input.providerData ?? vm.providerData,
    checkPassedAt: null,
    nextCheckAt: null,
  })
  tellVm(turn, 'vm.added', { ...vm, ip: input.ip }, { from: vm.state, to: 'got_ip' })
}

export async function spawnFailed(turn: Turn, input: SpawnFailed): Promise<void> {
  const vm = await requireState(turn, input.name, 'spawnFailed', 'fail to start')
  tellVm(turn, 'vm.spawn_failed', vm, { to: input.destroy ? 'terminating' : null, reason: input.reason })
  if (input.destroy) await terminateOne(turn, vm, input.reason)
  else await dropOne(turn, vm, input.reason)
}

export async function addVm(turn: Turn, input: AddVm): Promise<void> {
  requireFence(turn, input.fence)
  const { name, group, ip, provider, providerId, providerData } = input
  requireGroup(turn, group)
  await requireUnused(turn, name)
  const vm: VmDescriptor = newDescriptor({
    name,
    group,
    ip,
    provider: provider ?? null,
    providerId: providerId ?? null,
    providerData: providerData ?? null,
    state: 'got_ip',
    createdAt: turn.now,
  })
  await turn.tables.save(null, vm)
  tellVm(turn, 'vm.added', vm, { from: null })
}
