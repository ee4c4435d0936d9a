export * from './errors.ts'
export { isTaken } from './unique-conflict.ts'
export type { Queries, Store } from './store.ts'
export { valuesOf, type Columns, type ListQuery, type ValuesOf } from './list-query.ts'
export type * from './schema.ts'
export { SqliteStore, type SqliteStoreOptions } from './sqlite/store.ts'
export {
  DEFAULT_CONNECT_TIMEOUT_MS,
  DEFAULT_STATEMENT_TIMEOUT_MS,
  PostgresStore,
  type PostgresStoreOptions,
} from './postgres/store.ts'
export { clearOutbox, readOutbox, writeToOutbox } from './outbox.ts'
export { lockDirectory } from './process-lock.ts'
export { allMigrations } from './migrate.ts'
export { DEFAULT_MIGRATION_TIMEOUT_MS, DEFAULT_WORK_TIMEOUT_MS } from './write-scope.ts'
