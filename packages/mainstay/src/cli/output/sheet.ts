import { toJson, type Json } from '../../core/json.ts'
import { UsageError } from '../errors.ts'
import type { Sheet, View } from './view.ts'

/**
 * Puts records into rows: the chosen columns in the view's order, sorted if asked for.
 *
 * @throws UsageError when a column is chosen that the view does not have
 */
export function makeSheet<T>(
  view: View<T>,
  records: readonly T[],
  choice: { columns: readonly string[]; sortColumns?: readonly string[] | undefined },
): Sheet {
  const { columns: chosen, sortColumns = [] } = choice
  for (const name of [...chosen, ...sortColumns]) {
    if (!Object.hasOwn(view.columns, name)) {
      throw new UsageError(`There is no column "${name}". The columns are ${Object.keys(view.columns).join(', ')}.`)
    }
  }
  const read = (record: T, name: string): Json => view.columns[name]?.(record) ?? null
  const columns = Object.keys(view.columns).filter((name) => chosen.includes(name))
  const sorted = records.toSorted((a, b) => {
    for (const name of sortColumns) {
      const order = compareCells(read(a, name), read(b, name))
      if (order !== 0) return order
    }
    return 0
  })
  return { columns, rows: sorted.map((record) => columns.map((name) => read(record, name))) }
}

/** Numbers by size, everything else by its text, nothing at the end. */
export function compareCells(a: Json, b: Json): number {
  if (a === null || b === null) return Number(a === null) - Number(b === null)
  if (typeof a === 'number' && typeof b === 'number') return a - b
  const [left, right] = [cellText(a), cellText(b)]
  return left === right ? 0 : left < right ? -1 : 1
}

/** A cell as text, in the words of the `openstack` client: `True`, `False`, `None`; lists and objects are JSON. */
export function cellText(cell: Json): string {
  if (cell === null) return 'None'
  if (typeof cell === 'boolean') return cell ? 'True' : 'False'
  if (typeof cell === 'string') return cell
  return typeof cell === 'number' ? String(cell) : toJson(cell)
}
