import { stringify } from 'yaml'

import type { Sheet } from './view.ts'

/** Prints a list of mappings, or with `single` the first one alone. */
export function renderYaml(sheet: Sheet, options: { single: boolean }): string {
  const mappings = sheet.rows.map((row) => Object.fromEntries(sheet.columns.map((name, at) => [name, row[at] ?? null])))
  return stringify(options.single ? (mappings[0] ?? null) : mappings, { lineWidth: 0 })
}
