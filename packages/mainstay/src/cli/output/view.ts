import type { Json } from '../../core/json.ts'

/**
 * How records of one kind are shown: every column by the name that scripts use, and which of them are printed when
 * nobody chooses. Columns are printed in the order in which they stand here, whatever the order of `-c`.
 */
export interface View<T> {
  readonly columns: { readonly [name: string]: (record: T) => Json }
  /** Columns of a list. */
  readonly listed: readonly string[]
  /** Columns of a single record. */
  readonly shown: readonly string[]
}

/** A record as it is printed: its chosen columns, in order. */
export type Row = readonly Json[]

/** Records as they are printed. */
export interface Sheet {
  readonly columns: readonly string[]
  readonly rows: readonly Row[]
}
