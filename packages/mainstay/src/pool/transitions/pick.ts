import type { VmDescriptor } from '../descriptor.ts'
import { cleanAllowance, groupAllowance, heldAllowance, type Allowance } from '../limits.ts'
import type { GroupRules, PoolRules } from '../options.ts'
import type { PoolRequest, Refusal } from '../request.ts'
import { poolRulesOf, rulesOf, type Turn } from './turn.ts'

/** The machines that would serve a request now, or all that stands in the way. */
export type Pick =
  | { readonly vms: readonly VmDescriptor[] }
  | { readonly vms: null; readonly refusals: readonly Refusal[] }

/** A machine is handed out only if its last check passed after this time (C7). */
export function checkedAfterFor(
  settings: { readonly serverStartedAt: number },
  now: number,
  { maxCheckAgeMs }: GroupRules,
): number {
  return Math.max(settings.serverStartedAt, maxCheckAgeMs === 0 ? 0 : now - maxCheckAgeMs - 1)
}

export function checkedAfter(turn: Turn, rules: GroupRules): number {
  return checkedAfterFor(turn.settings, turn.now, rules)
}

/**
 * Chooses machines for a request: group by group in its order, the dirty ones of the same owner and sandbox first, then
 * clean ones as far as the limits go. All that the request wants, or none.
 *
 * @param cleanToo false where the clean ones are kept for somebody else
 *
 * Source: vm-pool.md A5.2, C3.
 */
export async function pickMachines(
  turn: Turn,
  request: PoolRequest,
  { cleanToo = true }: { cleanToo?: boolean } = {},
): Promise<Pick> {
  const { tables } = turn
  const { owner, sandbox, arch, count } = request
  const picked: VmDescriptor[] = []
  const refusals: Refusal[] = []
  const pool = poolRulesOf(turn)
  const held = limitsHeld(pool, arch) ? heldAllowance(await tables.held(owner, sandbox, arch), pool, arch) : NO_LIMIT
  for (const group of request.groups) {
    const rules = rulesOf(turn, group)
    if (rules.draining !== null) {
      refusals.push({ kind: 'draining', group, limit: null, count: null })
      continue
    }
    // What has no limit is not counted: that costs a look.
    const bound = limitsBound(rules) ? await tables.bound(group, owner, sandbox) : NOTHING_BOUND
    const use = {
      inUse: rules.maxInUse === 0 ? 0 : await tables.countStates(group, ['in_use']),
      boundToUser: bound.user,
      boundToSandbox: bound.sandbox,
    }
    const any = tighter(less(held, picked.length), groupAllowance(use, rules))
    const after = checkedAfter(turn, rules)
    const wanted = Math.min(count - picked.length, any.count)
    const dirty = wanted > 0 ? await tables.idle({ group, owner, sandbox }, after, wanted) : []
    const clean = tighter(less(any, dirty.length), cleanAllowance(use, rules))
    const more = cleanToo ? Math.min(count - picked.length - dirty.length, clean.count) : 0
    const fresh = more > 0 ? await tables.free(group, after, more) : []
    picked.push(...dirty, ...fresh)
    if (picked.length >= count) return { vms: picked }
    refusals.push(whyNoMore(group, { asked: more, got: fresh.length, clean }))
  }
  return { vms: null, refusals }
}

const NO_LIMIT: Allowance = { count: Number.POSITIVE_INFINITY, refusal: null }
const NOTHING_BOUND = { user: 0, sandbox: 0 }

function limitsHeld(pool: PoolRules, arch: string | null): boolean {
  return (
    pool.maxHeldPerUser > 0 || pool.maxHeldPerSandbox > 0 || (arch !== null && (pool.maxHeldPerArch[arch] ?? 0) > 0)
  )
}

function limitsBound({ maxPerUser, maxPerSandbox }: GroupRules): boolean {
  return maxPerUser > 0 || maxPerSandbox > 0
}

function whyNoMore(group: string, found: { asked: number; got: number; clean: Allowance }): Refusal {
  const { asked, got, clean } = found
  const none: Refusal = { kind: 'no_vm', group, limit: null, count: null }
  return asked > got ? none : (clean.refusal ?? none)
}

function less(allowance: Allowance, taken: number): Allowance {
  return { ...allowance, count: Math.max(0, allowance.count - taken) }
}

function tighter(a: Allowance, b: Allowance): Allowance {
  return b.count < a.count ? b : a
}
