import { sql, type RawBuilder, type Selectable } from 'kysely'

import { BadRequestError } from '../../http/errors.ts'
import type { Queries, Schema } from '../../store/index.ts'
import { sortTerms, type Page, type SortTerm } from '../api/list-query.ts'

type ListedTable = 'failover_segments' | 'hosts' | 'notifications' | 'vmoves'

/** The columns a client may sort by: those that the reference has too. */
const COLUMNS: Readonly<Record<ListedTable, readonly string[]>> = {
  failover_segments: columns('uuid', 'name', 'service_type', 'enabled', 'description', 'recovery_method'),
  hosts: columns('uuid', 'name', 'reserved', 'type', 'control_attributes', 'on_maintenance', 'failover_segment_id'),
  notifications: columns(
    'notification_uuid',
    'generated_time',
    'source_host_uuid',
    'type',
    'payload',
    'status',
    'failover_segment_uuid',
    'message',
  ),
  vmoves: columns(
    'uuid',
    'notification_uuid',
    'instance_uuid',
    'instance_name',
    'source_host',
    'dest_host',
    'start_time',
    'end_time',
    'type',
    'status',
    'message',
  ),
}

/** One condition of a list: a column, how it is compared, and with what. */
export interface Filter {
  readonly column: string
  readonly operator: '=' | '>='
  readonly value: string | number
}

const LARGEST_ID = 2 ** 31 - 1

/**
 * One page of a table's live records, in the order the client wants, beginning after the marker.
 *
 * Null sorts below every value in both databases. The record of the marker is looked up without the filters.
 *
 * Source: ha-api.md 5.3.
 *
 * @throws BadRequestError when the marker is no live record's id, or a sort key is no column
 */
export async function listRecords<Table extends ListedTable>(
  queries: Queries,
  table: Table,
  filters: readonly Filter[],
  page: Page,
): Promise<Selectable<Schema[Table]>[]> {
  const marker = page.marker === null ? undefined : await findMarker(queries, table, page.marker)
  const terms = sortTerms(page, COLUMNS[table])
  const conditions = [sql<boolean>`deleted = 0`, ...filters.map(filterSql)]
  if (marker !== undefined) conditions.push(afterMarker(terms, marker))
  const query = sql<Selectable<Schema[Table]>>`
    select * from ${sql.table(table)}
    where ${sql.join(conditions, sql` and `)}
    order by ${sql.join(terms.flatMap(orderSql))}
    limit ${page.limit}`
  const { rows } = await query.execute(queries)
  return rows
}

function columns(...names: string[]): string[] {
  return ['created_at', 'updated_at', 'deleted_at', 'deleted', 'id', ...names]
}

async function findMarker(
  queries: Queries,
  table: ListedTable,
  marker: string,
): Promise<Readonly<Record<string, unknown>>> {
  const id = /^\d+$/.test(marker) ? Number(marker) : Number.NaN
  if (id <= LARGEST_ID) {
    const query = sql<Record<string, unknown>>`select * from ${sql.table(table)} where id = ${id} and deleted = 0`
    const { rows } = await query.execute(queries)
    if (rows[0] !== undefined) return rows[0]
  }
  throw new BadRequestError(
    `Marker ${marker} could not be found. Give the integer id of the last record of the page before.`,
  )
}

function filterSql({ column, operator, value }: Filter): RawBuilder<boolean> {
  // No stored text holds a NUL, and PostgreSQL refuses to compare with one.
  if (typeof value === 'string' && value.includes('\0')) return sql<boolean>`1 = 0`
  return sql<boolean>`${sql.ref(column)} ${sql.raw(operator)} ${value}`
}

/** `created_at` and `id` are never null, which keeps the usual order on their index. */
function isNullable(column: string): boolean {
  return column !== 'created_at' && column !== 'id'
}

function orderSql({ column, direction }: SortTerm): RawBuilder<unknown>[] {
  const plain = sql`${sql.ref(column)} ${sql.raw(direction)}`
  return isNullable(column) ? [sql`(${sql.ref(column)} is not null) ${sql.raw(direction)}`, plain] : [plain]
}

/** Equal in the first n terms and beyond the marker in the next one, for any n. */
function afterMarker(terms: readonly SortTerm[], marker: Readonly<Record<string, unknown>>): RawBuilder<boolean> {
  const alternatives = terms.map((term, index) => {
    const equal = terms.slice(0, index).map(({ column }) => equalTo(column, marker[column]))
    return sql<boolean>`(${sql.join([...equal, beyond(term, marker[term.column])], sql` and `)})`
  })
  return sql<boolean>`(${sql.join(alternatives, sql` or `)})`
}

function equalTo(column: string, value: unknown): RawBuilder<boolean> {
  return isNil(value) ? sql<boolean>`${sql.ref(column)} is null` : sql<boolean>`${sql.ref(column)} = ${value}`
}

function beyond({ column, direction }: SortTerm, value: unknown): RawBuilder<boolean> {
  const reference = sql.ref(column)
  if (direction === 'asc') {
    return isNil(value) ? sql<boolean>`${reference} is not null` : sql<boolean>`${reference} > ${value}`
  }
  return isNil(value) ? sql<boolean>`1 = 0` : sql<boolean>`(${reference} < ${value} or ${reference} is null)`
}

function isNil(value: unknown): boolean {
  return value === null || value === undefined
}
