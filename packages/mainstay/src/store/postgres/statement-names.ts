/** A text is given a name when it comes for the second time: what comes once is not worth keeping. */
const NAMED_FROM_USE = 2

/** Names that are given at most: the server keeps a plan for each on every connection. */
const MAX_NAMES = 200

/** Texts whose uses are counted at most; beyond it all counts are forgotten. */
const MAX_COUNTED = 2000

/**
 * Names for the statements that come again and again, so that the server parses and plans them once per connection.
 * For a small statement that is most of its time.
 */
export class StatementNames {
  readonly #names = new Map<string, string>()
  readonly #uses = new Map<string, number>()

  /** @returns undefined for a text that is not worth a name */
  nameOf(sql: string): string | undefined {
    const known = this.#names.get(sql)
    if (known !== undefined || this.#names.size >= MAX_NAMES) return known
    const uses = (this.#uses.get(sql) ?? 0) + 1
    if (uses < NAMED_FROM_USE) {
      if (this.#uses.size >= MAX_COUNTED) this.#uses.clear()
      this.#uses.set(sql, uses)
      return undefined
    }
    this.#uses.delete(sql)
    const name = `mainstay_${this.#names.size + 1}`
    this.#names.set(sql, name)
    return name
  }
}
