import type { Json } from '../../core/json.ts'

/** A row as the old database gives it; a column that its release does not have is absent. */
export type SourceRow = Readonly<Record<string, Json>>

/** A Masakari database that is read from. */
export interface DatabaseSource {
  /** Where it is, without secrets. */
  readonly description: string
  /** All rows of a table in the order of their ids; undefined when the release does not have the table. */
  readTable(table: string, options: { signal: AbortSignal }): Promise<SourceRow[] | undefined>
  close(): void
}
