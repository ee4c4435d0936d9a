import { needPostgres, PrivatePostgres } from '../engines/support/private-postgres.ts'
import type { CrashStore } from './crash-run.ts'

/** SQLite in the data directory: every data directory is a fresh one. */
export const SQLITE: CrashStore = { name: 'sqlite', fresh: async () => [] }

/** PostgreSQL of our own, with a new database for each run. */
export async function startPostgres(): Promise<{ store: CrashStore } & AsyncDisposable> {
  const refuse = (reason: unknown): never => {
    throw new Error(String(reason))
  }
  needPostgres({ skip: refuse })
  const server = await PrivatePostgres.start()
  return {
    store: {
      name: 'postgres',
      fresh: async () => [`store.url=${await server.createDatabase()}`, 'store.connections=4'],
    },
    [Symbol.asyncDispose]: async () => await server[Symbol.asyncDispose](),
  }
}
