import { afterAll } from 'vitest'

import type { Skipping } from '../../support/need.ts'
import { needPostgres, PrivatePostgres } from './private-postgres.ts'

/**
 * One PostgreSQL for all tests of a file, started for the first that can have it.
 *
 * @returns makes a new, empty database for a test and returns its address, or skips the test
 */
export function usePostgres(): (ctx: Skipping) => Promise<string> {
  let shared: Promise<PrivatePostgres> | undefined
  afterAll(async () => await (await shared)?.[Symbol.asyncDispose]())
  return async (ctx) => {
    needPostgres(ctx)
    shared ??= PrivatePostgres.start()
    return await (await shared).createDatabase()
  }
}
