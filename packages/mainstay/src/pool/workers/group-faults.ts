/** The first pause of a group whose machines cannot be made as they are described, in milliseconds; it doubles. */
const FIRST_PAUSE_MS = 30_000

const LONGEST_PAUSE_MS = 1_800_000

/**
 * Groups whose descriptions of machines were called wrong. The group rests, not the provider, which serves others well;
 * now and then it is tried again, because an image may have been added since.
 *
 * Source: vm-pool.md C11 (invalid fails the label, not the provider).
 */
export class GroupFaults {
  readonly #faults = new Map<string, { readonly message: string; readonly until: number; readonly count: number }>()

  add(group: string, message: string, now: number): void {
    const count = (this.#faults.get(group)?.count ?? 0) + 1
    const until = now + Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (count - 1))
    this.#faults.set(group, { message, until, count })
  }

  /** What is wrong with a group that rests now; null when it may be tried. */
  at(group: string, now: number): string | null {
    const fault = this.#faults.get(group)
    return fault === undefined || now >= fault.until ? null : `its machines cannot be made: ${fault.message}`
  }

  forget(group: string): void {
    this.#faults.delete(group)
  }

  clear(): void {
    this.#faults.clear()
  }
}
