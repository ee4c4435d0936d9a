import type { PoolRules } from '../options.ts'
import type { PoolRequest } from '../request.ts'
import { mayAcquireMore } from '../rules/user-limit.ts'
import type { OwnerUsage } from '../store.ts'
import type { Ledger } from './ledger.ts'

/** A request that nothing is started for now, and why. */
export interface Unserved {
  readonly request: string
  /** `limit`: its owner may not have more; `full`: its groups cannot grow; `later`: they can, but not yet. */
  readonly kind: 'limit' | 'full' | 'later'
  readonly missing: number
  readonly because: string
}

type Waiting = Pick<PoolRequest, 'id' | 'owner' | 'groups' | 'count' | 'priority' | 'submittedAt'>

/**
 * Starts what waiting requests need beyond what is there and on its way. A request that may not have a machine, because of
 * its owner's limits, needs none: one owner with thousands of requests starts no more than he may hold.
 *
 * Source: vm-pool.md C3, C4, C8.
 */
export function meetDemand(
  ledger: Ledger,
  { requests, usage, pool }: { requests: readonly Waiting[]; usage: readonly OwnerUsage[]; pool: PoolRules },
): { readonly unserved: readonly Unserved[]; readonly needed: number } {
  const owners = new Map(usage.map((each) => [each.owner, new OwnerBooks(each)]))
  const unserved: Unserved[] = []
  let needed = 0
  for (const request of inOrder(requests)) {
    const owner = owners.get(request.owner) ?? new OwnerBooks({ owner: request.owner, held: 0, bound: {} })
    owners.set(request.owner, owner)
    const allowed = request.groups.filter((group) => owner.mayHave(ledger, group, request.count, pool))
    if (allowed.length === 0) {
      unserved.push({
        request: request.id,
        kind: 'limit',
        missing: request.count,
        because: owner.why(ledger, request.groups, pool),
      })
      continue
    }
    const missing = serve(ledger, request, allowed, owner)
    needed += request.count
    if (missing > 0) {
      const kind = allowed.every((group) => ledger.isFull(group)) ? 'full' : 'later'
      unserved.push({
        request: request.id,
        kind,
        missing,
        because: allowed.map((group) => ledger.whyNoRoom(group)).join('; '),
      })
    }
  }
  return { unserved, needed }
}

/** Promises and starts machines for one request. @returns how many it still misses */
function serve(ledger: Ledger, request: Waiting, groups: readonly string[], owner: OwnerBooks): number {
  let missing = request.count
  const take = (from: (group: string, count: number) => number): void => {
    for (const group of groups) {
      if (missing === 0) return
      const got = from(group, missing)
      owner.promise(group, got)
      missing -= got
    }
  }
  take((group, count) => ledger.promise(group, count))
  const reason = { for: request.id, because: `the request ${request.id} of ${request.owner} waits` }
  take((group, count) => ledger.promise(group, ledger.start(group, count, reason)))
  return missing
}

function inOrder(requests: readonly Waiting[]): Waiting[] {
  return requests.toSorted((a, b) => b.priority - a.priority || a.submittedAt - b.submittedAt)
}

/** How much of its limits an owner uses, with what this round promises. */
class OwnerBooks {
  readonly #usage: OwnerUsage
  readonly #promised = new Map<string, number>()
  #held = 0

  constructor(usage: OwnerUsage) {
    this.#usage = usage
  }

  mayHave(ledger: Ledger, group: string, count: number, pool: PoolRules): boolean {
    const facts = ledger.facts(group)
    if (facts === undefined) return false
    return (
      mayAcquireMore(this.#bound(group) + count - 1, facts.rules.maxPerUser) &&
      mayAcquireMore(this.#usage.held + this.#held + count - 1, pool.maxHeldPerUser)
    )
  }

  why(ledger: Ledger, groups: readonly string[], pool: PoolRules): string {
    const perGroup = groups.map((group) => {
      const limit = ledger.facts(group)?.rules.maxPerUser ?? 0
      return `${this.#bound(group)} of max_per_user ${limit} in ${group}`
    })
    const overall =
      pool.maxHeldPerUser === 0 ? [] : [`holds ${this.#usage.held + this.#held} of ${pool.maxHeldPerUser}`]
    return `the owner ${this.#usage.owner} is at a limit: ${[...perGroup, ...overall].join(', ')}`
  }

  promise(group: string, count: number): void {
    this.#promised.set(group, (this.#promised.get(group) ?? 0) + count)
    this.#held += count
  }

  #bound(group: string): number {
    return (this.#usage.bound[group] ?? 0) + (this.#promised.get(group) ?? 0)
  }
}
