/** What a column holds; with a question mark, it may be null. */
export type ColumnKind = 'integer' | 'text' | 'integer?' | 'text?'

/** Columns of a list, in the order in which their values come. */
export type Columns = readonly (readonly [name: string, kind: ColumnKind])[]

type ValueOf<Kind extends ColumnKind> = Kind extends 'integer'
  ? number
  : Kind extends 'text'
    ? string
    : Kind extends 'integer?'
      ? number | null
      : string | null

/** One row of a list: the values of its columns, in their order. */
export type ValuesOf<Listed extends Columns> = { readonly [Index in keyof Listed]: ValueOf<Listed[Index][1]> }

/** A query for many rows of the same few columns. */
export interface ListQuery<Listed extends Columns> {
  readonly columns: Listed
  /** What stands behind the columns, from `from` to `limit`; parameters as the database writes them. */
  readonly rest: string
  readonly parameters: readonly unknown[]
}

const names = new WeakMap<Columns, string>()

/** The names of the columns as a select has them. */
export function columnNames(columns: Columns): string {
  let text = names.get(columns)
  if (text === undefined) names.set(columns, (text = columns.map(([name]) => `"${name}"`).join(', ')))
  return text
}

/** The values of one row that was read as an object. */
export function valuesOf<Listed extends Columns>(
  columns: Listed,
  row: { readonly [Name in Listed[number][0]]: unknown },
): ValuesOf<Listed> {
  return columns.map(([name]) => row[name as Listed[number][0]]) as unknown as ValuesOf<Listed>
}
