/** Members in the order of their scores, ties by the member itself; as the sorted sets of Redis. */
export class SortedSet {
  readonly #order: { readonly member: string; readonly score: number }[] = []
  readonly #scores = new Map<string, number>()

  get size(): number {
    return this.#order.length
  }

  score(member: string): number | undefined {
    return this.#scores.get(member)
  }

  set(member: string, score: number): void {
    if (this.#scores.get(member) === score) return
    this.delete(member)
    this.#scores.set(member, score)
    this.#order.splice(this.#place(score, member), 0, { member, score })
  }

  delete(member: string): void {
    const score = this.#scores.get(member)
    if (score === undefined) return
    this.#scores.delete(member)
    this.#order.splice(this.#place(score, member), 1)
  }

  /** Members with `score > above`, the highest first. */
  descending(above: number, limit: number): string[] {
    const found: string[] = []
    for (let at = this.#order.length - 1; at >= 0 && found.length < limit; at -= 1) {
      const { member, score } = this.#order[at]!
      if (score <= above) break
      found.push(member)
    }
    return found
  }

  /** Members with `score <= upTo`, the lowest first. */
  ascending(limit: number, upTo = Number.POSITIVE_INFINITY): string[] {
    const found: string[] = []
    for (const { member, score } of this.#order) {
      if (found.length >= limit || score > upTo) break
      found.push(member)
    }
    return found
  }

  /** Members after one, whether it is there or not, in a set whose scores are all the same. */
  after(member: string, limit: number): string[] {
    const score = this.#order[0]?.score ?? 0
    const from = this.#place(score, member)
    const start = this.#order[from]?.member === member ? from + 1 : from
    return this.#order.slice(start, start + limit).map((each) => each.member)
  }

  first(): { readonly member: string; readonly score: number } | undefined {
    return this.#order[0]
  }

  entries(): readonly { readonly member: string; readonly score: number }[] {
    return this.#order
  }

  /** Where an entry is, or belongs. */
  #place(score: number, member: string): number {
    let low = 0
    let high = this.#order.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const each = this.#order[middle]!
      if (each.score < score || (each.score === score && each.member < member)) low = middle + 1
      else high = middle
    }
    return low
  }
}
