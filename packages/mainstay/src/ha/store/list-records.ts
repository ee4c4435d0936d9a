import { BadRequestError } from '../../http/errors.ts'
import type { Columns, Store, ValuesOf } from '../../store/index.ts'
import { sortTerms, type Page, type SortTerm } from '../api/list-query.ts'
import { HOST_COLUMNS } from '../records/host.ts'
import { NOTIFICATION_COLUMNS } from '../records/notification.ts'
import { SEGMENT_COLUMNS } from '../records/segment.ts'
import { VMOVE_COLUMNS } from '../records/vmove.ts'

/** What each table's records are made of. */
const LISTED = {
  failover_segments: SEGMENT_COLUMNS,
  hosts: HOST_COLUMNS,
  notifications: NOTIFICATION_COLUMNS,
  vmoves: VMOVE_COLUMNS,
} as const

type ListedTable = keyof typeof LISTED

/** The columns a client may sort by: those that the reference has too. */
function sortable(table: ListedTable): Columns {
  return [...LISTED[table], ['deleted_at', 'integer?'], ['deleted', 'integer']]
}

const SORTABLE: Readonly<Record<ListedTable, Columns>> = {
  failover_segments: sortable('failover_segments'),
  hosts: sortable('hosts'),
  notifications: sortable('notifications'),
  vmoves: sortable('vmoves'),
}

/** One condition of a list: a column, how it is compared, and with what. */
export interface Filter {
  readonly column: string
  readonly operator: '=' | '>='
  readonly value: string | number
}

const LARGEST_ID = 2 ** 31 - 1

/** Keeps a parameter and gives what stands for it in the text. */
type Put = (value: unknown) => string

/**
 * One page of a table's live records, in the order the client wants, beginning after the marker, as the values of the
 * table's columns.
 *
 * Null sorts below every value in both databases, and texts by the bytes of their UTF-8, whatever the collation of the
 * database is: the order, and so what a marker means, must not depend on where it was made. The record of the marker is looked up without the filters. Names of
 * columns in the text are those of {@link LISTED} and never a client's; every value is a parameter.
 *
 * Source: ha-api.md 5.3.
 *
 * @throws BadRequestError when the marker is no live record's id, or a sort key is no column
 */
export async function listRecords<Table extends ListedTable>(
  store: Pick<Store, 'kind' | 'readList'>,
  table: Table,
  filters: readonly Filter[],
  page: Page,
): Promise<ValuesOf<(typeof LISTED)[Table]>[]> {
  const columns = SORTABLE[table]
  const marker = page.marker === null ? undefined : await findMarker(store, table, page.marker)
  const names = columns.map(([name]) => name)
  const terms = sortTerms(page, names).map((term) => orderTerm(term, columns, store.kind))
  const { parameters, put } = parameterList(store.kind)
  const conditions = ['deleted = 0', ...filters.map((filter) => filterText(filter, put))]
  if (marker !== undefined) {
    const at = (column: string): unknown => marker[names.indexOf(column)]
    conditions.push(afterMarker(terms, at, put))
  }
  const order = terms.flatMap(orderText).join(', ')
  const rest = `from ${table} where ${conditions.join(' and ')} order by ${order} limit ${put(page.limit)}`
  return await store.readList({ columns: LISTED[table], rest, parameters })
}

function parameterList(kind: Store['kind']): { readonly parameters: readonly unknown[]; readonly put: Put } {
  const parameters: unknown[] = []
  const put: Put = (value) => {
    parameters.push(value)
    return kind === 'postgres' ? `$${parameters.length}` : '?'
  }
  return { parameters, put }
}

async function findMarker(
  store: Pick<Store, 'kind' | 'readList'>,
  table: ListedTable,
  marker: string,
): Promise<readonly unknown[]> {
  const id = /^\d+$/.test(marker) ? Number(marker) : Number.NaN
  if (id <= LARGEST_ID) {
    const { parameters, put } = parameterList(store.kind)
    const rest = `from ${table} where id = ${put(id)} and deleted = 0`
    const [row] = await store.readList({ columns: SORTABLE[table], rest, parameters })
    if (row !== undefined) return row
  }
  throw new BadRequestError(
    `Marker ${marker} could not be found. Give the integer id of the last record of the page before.`,
  )
}

function filterText({ column, operator, value }: Filter, put: Put): string {
  // No stored text holds a NUL, and PostgreSQL refuses to compare with one.
  if (typeof value === 'string' && value.includes('\0')) return '1 = 0'
  return `"${column}" ${operator} ${put(value)}`
}

/** A term of the order, with what is compared. */
interface OrderTerm extends SortTerm {
  /** The column as it is put in order. */
  readonly ordered: string
  readonly isNullable: boolean
}

function orderTerm(term: SortTerm, columns: Columns, kind: Store['kind']): OrderTerm {
  const columnKind = columns.find(([name]) => name === term.column)?.[1] ?? 'integer'
  const byBytes = kind === 'postgres' && columnKind.startsWith('text')
  const ordered = byBytes ? `"${term.column}" collate "C"` : `"${term.column}"`
  return { ...term, ordered, isNullable: columnKind.endsWith('?') }
}

/** Columns that are never null keep the plain order, which an index may have. */
function orderText({ column, direction, ordered, isNullable }: OrderTerm): string[] {
  const plain = `${ordered} ${direction}`
  return isNullable ? [`("${column}" is not null) ${direction}`, plain] : [plain]
}

/** Equal in the first n terms and beyond the marker in the next one, for any n. */
function afterMarker(terms: readonly OrderTerm[], at: (column: string) => unknown, put: Put): string {
  const alternatives = terms.map((term, index) => {
    const equal = terms.slice(0, index).map(({ column }) => equalTo(column, at(column), put))
    return `(${[...equal, beyond(term, at(term.column), put)].join(' and ')})`
  })
  return `(${alternatives.join(' or ')})`
}

function equalTo(column: string, value: unknown, put: Put): string {
  return isNil(value) ? `"${column}" is null` : `"${column}" = ${put(value)}`
}

function beyond({ column, direction, ordered }: OrderTerm, value: unknown, put: Put): string {
  if (direction === 'asc') return isNil(value) ? `"${column}" is not null` : `${ordered} > ${put(value)}`
  return isNil(value) ? '1 = 0' : `(${ordered} < ${put(value)} or "${column}" is null)`
}

function isNil(value: unknown): boolean {
  return value === null || value === undefined
}
