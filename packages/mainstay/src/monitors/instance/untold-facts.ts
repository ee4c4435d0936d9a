import type { KnownDomain } from './known-domain.ts'
import type { GuestFact } from './report-table.ts'

/** A fact on its way to a report. */
export interface SeenFact {
  readonly uuid: string
  readonly name: string
  /** What was known of the domain before: with the fact not told, this stays true. */
  readonly before: KnownDomain | undefined
  readonly fact: GuestFact
  readonly atMs: number
}

/**
 * Facts that wait until the identity of their guest can be read, each once and in the order in which they were seen.
 *
 * They are in memory only. What is written down of such a guest is therefore what was known before the first of them:
 * from that the next process finds by comparing what the guest's state shows, a failed end or a pause by a fault. All
 * else is lost with this process.
 */
export class UntoldFacts {
  readonly #facts = new Map<string, SeenFact>()

  /** Whether it is news: a fact that waits already is not. */
  add(seen: SeenFact): boolean {
    const { uuid, fact } = seen
    const key = `${uuid} ${fact.event} ${fact.virDomainEvent}`
    if (this.#facts.has(key)) return false
    this.#facts.set(key, seen)
    return true
  }

  has(uuid: string): boolean {
    return [...this.#facts.values()].some((seen) => seen.uuid === uuid)
  }

  /** Those that need not wait any longer. */
  take(isSettled: (seen: SeenFact) => boolean): SeenFact[] {
    const settled = [...this.#facts].filter(([, seen]) => isSettled(seen))
    for (const [key] of settled) this.#facts.delete(key)
    return settled.map(([, seen]) => seen)
  }

  get waiting(): boolean {
    return this.#facts.size > 0
  }

  /** The domains as they were before the first fact that waits. */
  before(domains: ReadonlyMap<string, KnownDomain>): ReadonlyMap<string, KnownDomain> {
    const before = new Map(domains)
    for (const seen of [...this.#facts.values()].toReversed()) {
      if (seen.before === undefined) before.delete(seen.uuid)
      else before.set(seen.uuid, seen.before)
    }
    return before
  }
}
