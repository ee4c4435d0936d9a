import type { GroupRules, PoolRules } from './options.ts'
import type { Refusal, RefusalKind } from './request.ts'

/** How much an owner, a sandbox, an architecture and a group have now. */
export interface HeldCounts {
  readonly byUser: number
  readonly bySandbox: number
  readonly byArch: number
}

export interface GroupUse {
  /** Machines of the group in use. */
  readonly inUse: number
  /** Machines of the group bound to the owner, in whatever state (A5.2). */
  readonly boundToUser: number
  readonly boundToSandbox: number
}

/** How many machines may still be handed out, and what stands in the way of more. */
export interface Allowance {
  readonly count: number
  readonly refusal: Refusal | null
}

/**
 * How many more machines an owner may hold over all groups.
 *
 * Source: vm-pool.md C3.
 */
export function heldAllowance(held: HeldCounts, pool: PoolRules, arch: string | null): Allowance {
  return least([
    left('user_limit', null, pool.maxHeldPerUser, held.byUser),
    left('sandbox_limit', null, pool.maxHeldPerSandbox, held.bySandbox),
    left('arch_limit', null, arch === null ? 0 : (pool.maxHeldPerArch[arch] ?? 0), held.byArch),
  ])
}

/** How many more machines of a group may be in use at all. */
export function groupAllowance(use: GroupUse, rules: GroupRules): Allowance {
  return least([left('group_limit', rules.id, rules.maxInUse, use.inUse)])
}

/** How many more *clean* machines of a group an owner may have: a dirty one is counted already. */
export function cleanAllowance(use: GroupUse, rules: GroupRules): Allowance {
  return least([
    left('user_limit', rules.id, rules.maxPerUser, use.boundToUser),
    left('sandbox_limit', rules.id, rules.maxPerSandbox, use.boundToSandbox),
  ])
}

function left(kind: RefusalKind, group: string | null, limit: number, count: number): Allowance {
  if (limit === 0) return { count: Number.POSITIVE_INFINITY, refusal: null }
  return { count: Math.max(0, limit - count), refusal: { kind, group, limit, count } }
}

function least(allowances: readonly Allowance[]): Allowance {
  return allowances.reduce((a, b) => (b.count < a.count ? b : a))
}
