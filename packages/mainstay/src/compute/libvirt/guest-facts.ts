import { boundBecause } from './bound-because.ts'
import { describeDomain } from './domain-description.ts'
import type { GuestRecord } from './guest-record.ts'

/** What a planner needs to know of a guest and its XML tells. */
export interface GuestFacts {
  readonly uuid: string
  readonly name: string
  readonly memoryMib: number
  readonly vcpus: number
  readonly metadata: Readonly<Record<string, string>>
  readonly projectId: string | null
  readonly boundBecause: string | null
}

/** Reads the facts from records, once for each XML. */
export class FactsReader {
  readonly #sharedPaths: readonly string[]
  readonly #known = new Map<string, { readonly xml: string; readonly facts: GuestFacts }>()

  constructor({ sharedPaths }: { sharedPaths: readonly string[] }) {
    this.#sharedPaths = sharedPaths
  }

  /** @throws InvalidInputError when the XML cannot be understood */
  of({ uuid, xml }: GuestRecord): GuestFacts {
    const known = this.#known.get(uuid)
    if (known?.xml === xml) return known.facts
    const { element, ...described } = describeDomain(xml)
    const facts = { ...described, boundBecause: boundBecause(element, { sharedPaths: this.#sharedPaths }) }
    this.#known.set(uuid, { xml, facts })
    return facts
  }

  forget(uuid: string): void {
    this.#known.delete(uuid)
  }
}
