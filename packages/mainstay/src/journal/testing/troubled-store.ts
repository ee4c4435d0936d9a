import type { Columns, ListQuery, Queries, Store, ValuesOf } from '../../store/index.ts'

/** A store whose writes go wrong as ordered; everything else is passed on. */
export class TroubledStore implements Store {
  readonly kind: Store['kind']
  readonly read: Queries
  /** Throws what the next writes throw; undefined lets them through. */
  trouble: (() => Error) | undefined
  /** Throws what writes throw after they were made; undefined lets their answers through. */
  answerLost: (() => Error) | undefined
  /** Writes that were refused. */
  refused = 0
  /** Writes that were let through. */
  writes = 0
  readonly #store: Store

  constructor(store: Store) {
    this.#store = store
    this.kind = store.kind
    this.read = store.read
  }

  async readList<Listed extends Columns>(query: ListQuery<Listed>): Promise<ValuesOf<Listed>[]> {
    return await this.#store.readList(query)
  }

  async write<T>(work: (queries: Queries) => Promise<T>): Promise<T> {
    this.#refuse()
    const result = await this.#store.write(work)
    if (this.answerLost !== undefined) throw this.answerLost()
    return result
  }

  async writeStatement<Row>(sql: string, parameters: readonly unknown[]): Promise<Row[]> {
    this.#refuse()
    return await this.#store.writeStatement<Row>(sql, parameters)
  }

  async migrate(): Promise<string[]> {
    return await this.#store.migrate()
  }

  async pendingMigrations(): Promise<string[]> {
    return await this.#store.pendingMigrations()
  }

  async version(): Promise<string | undefined> {
    return await this.#store.version()
  }

  async close(): Promise<void> {
    await this.#store.close()
  }

  #refuse(): void {
    if (this.trouble === undefined) {
      this.writes += 1
      return
    }
    this.refused += 1
    throw this.trouble()
  }
}
