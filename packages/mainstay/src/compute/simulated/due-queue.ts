/** What waits for its time: a binary heap, earliest first; among equals, first come first. */
export class DueQueue<Item> {
  readonly #heap: { readonly at: number; readonly order: number; readonly item: Item }[] = []
  #order = 0

  /** When the earliest is due. */
  get nextAt(): number | undefined {
    return this.#heap[0]?.at
  }

  add(at: number, item: Item): void {
    this.#heap.push({ at, order: this.#order++, item })
    for (let index = this.#heap.length - 1; index > 0;) {
      const parent = (index - 1) >> 1
      if (!this.#before(index, parent)) return
      this.#swap(index, parent)
      index = parent
    }
  }

  /** Takes the earliest out when its time has come. */
  takeDue(now: number): Item | undefined {
    const [first] = this.#heap
    if (first === undefined || first.at > now) return undefined
    this.#swap(0, this.#heap.length - 1)
    this.#heap.pop()
    for (let index = 0; ;) {
      const left = 2 * index + 1
      const smaller = left + 1 < this.#heap.length && this.#before(left + 1, left) ? left + 1 : left
      if (smaller >= this.#heap.length || !this.#before(smaller, index)) return first.item
      this.#swap(index, smaller)
      index = smaller
    }
  }

  #before(a: number, b: number): boolean {
    const [left, right] = [this.#heap[a]!, this.#heap[b]!]
    return left.at < right.at || (left.at === right.at && left.order < right.order)
  }

  #swap(a: number, b: number): void {
    const kept = this.#heap[a]!
    this.#heap[a] = this.#heap[b]!
    this.#heap[b] = kept
  }
}
