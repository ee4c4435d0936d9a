import Table from 'cli-table3'

import { cellText } from './sheet.ts'
import type { Row, Sheet } from './view.ts'

/** Borders as the `openstack` client draws them. */
const BORDERS = Object.fromEntries([
  ...['top', 'bottom', 'mid'].map((name) => [name, '-'] as const),
  ...['left', 'right', 'middle'].map((name) => [name, '|'] as const),
  ...['top-mid', 'top-left', 'top-right', 'bottom-mid', 'bottom-left', 'bottom-right'].map(corner),
  ...['left-mid', 'mid-mid', 'right-mid'].map(corner),
])
/** A border and a blank on each side of a cell, and the last border. */
const CELL_FRAME = 3
const NARROWEST_COLUMN = 6

/**
 * Draws a table.
 *
 * @param maxWidth the most characters that a line may have; long cells are broken to fit
 */
export function renderTable(sheet: Sheet, options: { maxWidth?: number | undefined } = {}): string {
  const { columns } = sheet
  if (columns.length === 0) return '\n'
  const rows = sheet.rows.map((row) => row.map((cell) => visible(cellText(cell))))
  const natural = columns.map((name, at) => contentWidth([name, ...rows.map((row) => row[at] ?? '')]))
  const widths = options.maxWidth === undefined ? natural : fitWidths(natural, options.maxWidth)
  const table = new Table({
    head: [...columns],
    colWidths: widths.map((width) => width + 2),
    wordWrap: true,
    wrapOnWordBoundary: false,
    chars: BORDERS,
    style: { head: [], border: [] },
  })
  table.push(...rows)
  return `${withoutInnerRules(table.toString())}\n`
}

/** Draws one record with its members below each other. */
export function renderRecordTable(
  columns: readonly string[],
  row: Row,
  options: { maxWidth?: number | undefined } = {},
): string {
  return renderTable({ columns: ['Field', 'Value'], rows: columns.map((name, at) => [name, row[at] ?? null]) }, options)
}

/**
 * Narrows the widest columns until a line fits.
 *
 * @returns widths of the contents, without frames
 */
export function fitWidths(natural: readonly number[], maxWidth: number): number[] {
  const widths = [...natural]
  const frames = CELL_FRAME * widths.length + 1
  let over = widths.reduce((sum, width) => sum + width, frames) - maxWidth
  while (over > 0) {
    const widest = Math.max(...widths)
    if (widest <= NARROWEST_COLUMN) break
    widths[widths.indexOf(widest)] = widest - 1
    over -= 1
  }
  return widths
}

/** The width that the drawing library itself gives a column: wide characters count twice. */
function contentWidth(cells: readonly string[]): number {
  const column = new Table({ style: { head: [], border: [] } })
  column.push(...cells.map((cell) => [cell]))
  return Math.max(1, column.width - CELL_FRAME - 1)
}

function corner(name: string): readonly [string, string] {
  return [name, '+']
}

/** The library rules off every row; the `openstack` client rules off the head alone. */
function withoutInnerRules(text: string): string {
  const lines = text.split('\n')
  const last = lines.length - 1
  let rules = 0
  return lines
    .filter((line, at) => {
      if (!/^\+[-+]*\+$/.test(line)) return true
      rules += 1
      return rules <= 2 || at === last
    })
    .join('\n')
}

/** Shows control characters instead of sending them to the terminal: names come from other people. */
function visible(text: string): string {
  return text.replace(/\p{Cc}/gu, (control) => {
    return control === '\n' ? control : `\\x${control.charCodeAt(0).toString(16).padStart(2, '0')}`
  })
}
