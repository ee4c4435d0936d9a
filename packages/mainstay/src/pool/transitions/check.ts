import type { VmDescriptor } from '../descriptor.ts'
import { mayStart, type VmTransition } from '../state.ts'
import type { Batch, ByMaster, CheckResult, StartChecks } from '../store.ts'
import { comeToRest } from './rest.ts'
import { offer, serveFreed } from './serve.ts'
import { terminateOne } from './terminate-one.ts'
import { change, eachVm, refusal, requireFence, requireVm, rulesOf, tellVm, type Turn } from './turn.ts'

/** Source: vm-pool.md A4 (set_checking_state), C7. */
export async function startChecks(turn: Turn, input: StartChecks): Promise<Omit<Batch, 'changes'>> {
  requireFence(turn, input.fence)
  const nextCheckAt = new Map(input.checks.map((check) => [check.name, check.nextCheckAt]))
  return await eachVm(turn, [...nextCheckAt.keys()], async (vm) => {
    const because = refusal('startCheck', vm)
    if (because !== null) return because
    const to = vm.state === 'in_use' ? 'in_use' : 'check_health'
    await change(turn, vm, {
      state: to,
      checkStartedAt: turn.now,
      nextCheckAt: nextCheckAt.get(vm.name)!,
      beforeCheck: {
        state: vm.state,
        stateSince: vm.stateSince,
        checkStartedAt: vm.checkStartedAt,
        nextCheckAt: vm.nextCheckAt,
      },
    })
    tellVm(turn, 'vm.check_started', vm, { to })
    return null
  })
}

/** The machine, when the result is of the check that is under way; null for a late one, which changes nothing. */
async function checked(turn: Turn, result: CheckResult, transition: VmTransition): Promise<VmDescriptor | null> {
  const vm = await requireVm(turn, result.name)
  const current = vm.beforeCheck !== null && vm.checkStartedAt === result.startedAt
  return current && mayStart(transition, vm.state) ? vm : null
}

/** Source: vm-pool.md A4 (on_health_check_success), C7. */
export async function checkPassed(turn: Turn, result: CheckResult): Promise<void> {
  const vm = await checked(turn, result, 'checkPassed')
  if (vm === null) return
  const fields = { checkFails: 0, checkPassedAt: turn.now, beforeCheck: null }
  if (vm.state === 'in_use') {
    await change(turn, vm, fields)
    tellVm(turn, 'vm.check_passed', vm)
    return
  }
  await comeToRest(turn, vm, fields, (to) => tellVm(turn, 'vm.check_passed', vm, { to }))
}

/** Source: vm-pool.md A4 (record_failure), A9. */
export async function checkFailed(turn: Turn, result: CheckResult & { readonly reason: string }): Promise<void> {
  const vm = await checked(turn, result, 'checkFailed')
  if (vm === null) return
  const { maxCheckFails, protectInUse } = rulesOf(turn, vm.group)
  const to = vm.state === 'in_use' ? 'in_use' : 'check_health_failed'
  const after = await change(turn, vm, { state: to, checkFails: vm.checkFails + 1, beforeCheck: null })
  tellVm(turn, 'vm.check_failed', vm, { to, reason: result.reason })
  if (after.checkFails <= maxCheckFails || (to === 'in_use' && protectInUse)) return
  await terminateOne(turn, after, `it failed ${after.checkFails} checks in a row`)
  await serveFreed(turn, after)
}

/** Source: vm-pool.md A6.7: what a crash left under way. */
export async function checksGivenUp(
  turn: Turn,
  input: ByMaster & { readonly names: readonly string[] },
): Promise<Omit<Batch, 'changes'>> {
  requireFence(turn, input.fence)
  return await eachVm(turn, input.names, async (vm) => {
    const because = refusal('checkGivenUp', vm)
    if (because !== null) return because
    const { checkMaxTimeMs } = rulesOf(turn, vm.group)
    if (turn.now - (vm.checkStartedAt ?? vm.stateSince) <= checkMaxTimeMs) return 'its check still has time'
    await change(turn, vm, { state: 'check_health_failed', beforeCheck: null })
    tellVm(turn, 'vm.check_failed', vm, { to: 'check_health_failed', reason: 'the check did not end in time' })
    return null
  })
}

/** How soon a check that could not be made is made again, at the soonest: what hinders it is seldom over at once. */
const CHECK_RETRY_MS = 10_000

/** Source: vm-pool.md A6.4, C7. */
export async function checkNotLaunched(turn: Turn, result: CheckResult): Promise<void> {
  const vm = await checked(turn, result, 'checkNotLaunched')
  if (vm === null || vm.beforeCheck === null) return
  const { state, stateSince, checkStartedAt, nextCheckAt } = vm.beforeCheck
  const back = vm.state === 'in_use' ? {} : { state, stateSince }
  const retryAt = turn.now + Math.min(rulesOf(turn, vm.group).checkPeriodMs, CHECK_RETRY_MS)
  const again = Math.max(nextCheckAt ?? 0, retryAt)
  const after = await change(turn, vm, { ...back, checkStartedAt, nextCheckAt: again, beforeCheck: null })
  tellVm(turn, 'vm.check_failed', vm, { to: after.state, reason: 'the check could not be started' })
  if (after.state === 'ready') await offer(turn, after)
}

export async function recheck(
  turn: Turn,
  input: { readonly names: readonly string[] },
): Promise<Omit<Batch, 'changes'>> {
  return await eachVm(turn, input.names, async (vm) => {
    const because = refusal('startCheck', vm)
    if (because !== null) return because
    await change(turn, vm, { nextCheckAt: turn.now })
    return null
  })
}
