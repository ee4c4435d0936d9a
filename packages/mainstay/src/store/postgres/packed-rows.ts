import { columnNames, type Columns, type ListQuery, type ValuesOf } from '../list-query.ts'

/** A page of rows as one text, and how many rows it is made of. */
export interface PackedPage {
  readonly count: number
  readonly page: string | null
}

/** Between values, and between rows: the separators of ASCII. */
const UNIT = '\u001f'
const RECORD = '\u001e'

/**
 * A query whose answer is one text for the whole page. The driver makes an object of every row and decodes every value by
 * itself, which for a list of a hundred records takes longer than all the rest of the request; one long text is decoded at
 * once and split.
 */
export function packedQuery({ columns, rest, parameters }: ListQuery<Columns>): {
  readonly sql: string
  readonly parameters: readonly unknown[]
} {
  const unit = `$${parameters.length + 1}::text`
  const record = `$${parameters.length + 2}::text`
  const rows = `select concat_ws(${unit}, ${columns.map(packed).join(', ')}) as packed ${rest}`
  return {
    sql: `select count(*)::int as count, string_agg(packed, ${record}) as page from (${rows}) as listed`,
    parameters: [...parameters, UNIT, RECORD],
  }
}

/** The same query unpacked, for values that contain a separator. */
export function plainQuery({ columns, rest }: ListQuery<Columns>): string {
  return `select ${columnNames(columns)} ${rest}`
}

/** A text that is there begins with a sign, so that an empty one is not null. */
function packed([name, kind]: Columns[number]): string {
  if (kind === 'text?') return `coalesce('=' || "${name}", '')`
  return kind === 'integer?' ? `coalesce("${name}"::text, '')` : `"${name}"`
}

/**
 * The rows of a packed page.
 *
 * A value with a separator in it is always noticed: it makes a row longer, or adds a row, and the database has counted.
 *
 * @returns undefined when a value contains a separator
 */
export function unpack<Listed extends Columns>(
  { count, page }: PackedPage,
  columns: Listed,
): ValuesOf<Listed>[] | undefined {
  if (page === null) return count === 0 ? [] : undefined
  const records = page.split(RECORD)
  if (records.length !== count) return undefined
  const rows: ValuesOf<Listed>[] = []
  for (const record of records) {
    const texts = record.split(UNIT)
    if (texts.length !== columns.length) return undefined
    rows.push(columns.map(([, kind], index) => valueOf(kind, texts[index] ?? '')) as unknown as ValuesOf<Listed>)
  }
  return rows
}

function valueOf(kind: Columns[number][1], text: string): string | number | null {
  if (kind === 'text') return text
  if (kind === 'integer') return Number(text)
  if (text === '') return null
  return kind === 'text?' ? text.slice(1) : Number(text)
}
