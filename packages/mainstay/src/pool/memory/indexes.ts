import type { Count, Placement } from '../placements.ts'
import { SortedSet } from './sorted-set.ts'

/** Sorted indexes and counters by name; an empty one is not kept. */
export class Indexes {
  readonly #sets = new Map<string, SortedSet>()
  readonly #counts = new Map<string, Map<string, number>>()

  set(index: string): SortedSet {
    return this.#sets.get(index) ?? EMPTY
  }

  count({ table, field }: Count): number {
    return this.#counts.get(table)?.get(field) ?? 0
  }

  place(member: string, { index, score }: Placement): void {
    const set = this.#sets.get(index) ?? new SortedSet()
    this.#sets.set(index, set)
    set.set(member, score)
  }

  displace(member: string, index: string): void {
    const set = this.#sets.get(index)
    set?.delete(member)
    if (set?.size === 0) this.#sets.delete(index)
  }

  add({ table, field }: Count, by: number): void {
    const fields = this.#counts.get(table) ?? new Map<string, number>()
    this.#counts.set(table, fields)
    const count = (fields.get(field) ?? 0) + by
    if (count === 0) fields.delete(field)
    else fields.set(field, count)
    if (fields.size === 0) this.#counts.delete(table)
  }

  /** Everything as lines of text, for comparing. */
  dump(): string[] {
    const sets = [...this.#sets].flatMap(([index, set]) =>
      set.entries().map(({ member, score }) => `${index} ${member} ${score}`),
    )
    const counts = [...this.#counts].flatMap(([table, fields]) =>
      [...fields].map(([field, count]) => `${table} ${field} = ${count}`),
    )
    return [...sets, ...counts].sort()
  }
}

const EMPTY = new SortedSet()
