import type { PostgresPool, PostgresPoolClient, PostgresQueryResult } from 'kysely'
import type { Pool, PoolClient } from 'pg'

import { StoreUnavailableError } from '../errors.ts'
import { explainPostgresError, isLostConnection } from './explain-error.ts'
import { StatementNames } from './statement-names.ts'

/**
 * A pool whose errors say what to do, and whose clients are dead for their borrower as soon as the transaction ends: a
 * query that comes late would otherwise run outside of it, or inside somebody else's.
 */
export function guardedPool(pool: Pool, where: string): PostgresPool {
  const names = new StatementNames()
  return {
    options: pool.options,
    connect: async () => {
      try {
        return new GuardedClient(await pool.connect(), { where, names })
      } catch (error) {
        throw explainPostgresError(error, where)
      }
    },
    end: async () => await pool.end(),
  }
}

class GuardedClient implements PostgresPoolClient {
  readonly #client: PoolClient
  readonly #where: string
  readonly #names: StatementNames
  #ended = false
  /** Why the connection is of no use any more: whatever is sent on it would wait behind what was never answered. */
  #lost: StoreUnavailableError | undefined

  constructor(client: PoolClient, { where, names }: { where: string; names: StatementNames }) {
    this.#client = client
    this.#where = where
    this.#names = names
  }

  // The type that Kysely asks for has a second form for cursors, which are not used here.
  readonly query = (async <R>(sql: string, parameters: readonly unknown[]): Promise<PostgresQueryResult<R>> => {
    if (this.#ended && sql !== 'rollback') throw new Error('This write has ended: its handle cannot be used any more.')
    if (this.#lost !== undefined) throw this.#lost
    if (sql === 'commit' || sql === 'rollback') this.#ended = true
    try {
      // Without parameters it is a transaction's begin or end, or a migration: nothing to plan.
      const name = parameters.length === 0 ? undefined : this.#names.nameOf(sql)
      const query = { text: sql, values: [...parameters], ...(name === undefined ? {} : { name }) }
      return (await this.#client.query(query)) as unknown as PostgresQueryResult<R>
    } catch (error) {
      const explained = explainPostgresError(error, this.#where)
      if (explained instanceof StoreUnavailableError && isLostConnection(error)) this.#lost = explained
      throw explained
    }
  }) as PostgresPoolClient['query']

  release(destroy?: boolean): void {
    this.#client.release(destroy === true || this.#lost !== undefined)
  }
}
