import type { GroupRules, PoolConfiguration } from '../options.ts'
import type { At, Batch, ByMaster, Leadership } from '../store.ts'
import { change, eachVm, requireFence, type Turn } from './turn.ts'

/**
 * One master at a time: whoever finds the lease free or run out takes it, and with it the next number. What an earlier one
 * still wants to write carries the old number and is refused.
 *
 * Source: vm-pool.md C9.
 */
export async function lead(turn: Turn, input: { readonly id: string; readonly leaseMs: number }): Promise<Leadership> {
  const { leader } = turn.settings
  const taken = leader.id !== '' && leader.id !== input.id && turn.now <= leader.until
  if (taken) return { leads: false, leader: leader.id, fence: leader.fence, until: leader.until }
  const fence = leader.id === input.id ? leader.fence : leader.fence + 1
  const until = turn.now + input.leaseMs
  await turn.tables.saveSettings({ ...turn.settings, leader: { id: input.id, fence, until } })
  return { leads: true, leader: input.id, fence, until }
}

export async function resign(turn: Turn, input: { readonly id: string }): Promise<void> {
  const { leader } = turn.settings
  if (leader.id !== input.id) return
  await turn.tables.saveSettings({ ...turn.settings, leader: { ...leader, id: '', until: 0 } })
}

/** Source: vm-pool.md C20. */
export async function configure(turn: Turn, configuration: PoolConfiguration, by: ByMaster): Promise<void> {
  requireFence(turn, by.fence)
  const retired = retiredGroups(turn.settings.configuration.groups, configuration.groups)
  await turn.tables.saveSettings({
    ...turn.settings,
    configuration: { ...configuration, groups: [...configuration.groups, ...retired] },
  })
}

/** Groups that are gone from the configuration: they hand nothing out any more, and their machines go. */
function retiredGroups(before: readonly GroupRules[], after: readonly GroupRules[]): GroupRules[] {
  const kept = new Set(after.map(({ id }) => id))
  return before.filter(({ id }) => !kept.has(id)).map((group) => ({ ...group, draining: 'terminate', retired: true }))
}

/** Source: vm-pool.md A3 (server-start mark), C7. */
export async function markServerStart(turn: Turn, input: At & ByMaster): Promise<void> {
  requireFence(turn, input.fence)
  await turn.tables.saveSettings({ ...turn.settings, serverStartedAt: turn.now })
}

/** Source: vm-pool.md C8: those that the minimum needs are not looked at in every cycle. */
export async function postponeRetirement(
  turn: Turn,
  input: ByMaster & { readonly names: readonly string[]; readonly until: number },
): Promise<Omit<Batch, 'changes'>> {
  requireFence(turn, input.fence)
  return await eachVm(turn, input.names, async (vm) => {
    await change(turn, vm, { retireAfter: input.until })
    return null
  })
}
