/** Events that were left out for a client under the policy `drop`, since it last took everything. */
export interface Omission {
  readonly dropped: number
  /** The first place that was left out. */
  readonly from: number
  /** The last place that was looked at. */
  readonly to: number
}

/** What a client was not given, until it is told so. */
export class Omissions {
  #pending: Omission | undefined
  #total = 0

  /** How many events were left out in all. */
  get total(): number {
    return this.#total
  }

  /** @returns whether nothing was left out before, since the client was last told */
  add({ dropped, from, to }: Omission): boolean {
    const before = this.#pending
    this.#total += dropped
    this.#pending =
      before === undefined ? { dropped, from, to } : { dropped: before.dropped + dropped, from: before.from, to }
    return before === undefined
  }

  /** What the client has to be told, once. */
  take(): Omission | undefined {
    const pending = this.#pending
    this.#pending = undefined
    return pending
  }
}
