import { cellText } from './sheet.ts'
import type { Sheet } from './view.ts'

/** Prints bare values for scripts: a row per line with blanks between, or with `single` a value per line. */
export function renderValue(sheet: Sheet, options: { single: boolean }): string {
  return sheet.rows.map((row) => `${row.map(cellText).join(options.single ? '\n' : ' ')}\n`).join('')
}
