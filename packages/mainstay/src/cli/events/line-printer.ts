import type { StreamedEvent } from '../../client/index.ts'
import type { CliContext } from '../context.ts'
import type { OutputFlags } from '../output/flags.ts'
import { cellText, makeSheet } from '../output/sheet.ts'
import { eventView } from './view.ts'

/** How wide a column of a table is that grows line by line; the last one is as wide as it needs. */
const WIDTHS: Readonly<Record<string, number>> = {
  seq: 8,
  cursor: 24,
  timestamp: 24,
  occurred_at: 24,
  severity: 8,
  event_type: 40,
  node_name: 20,
  resource_id: 36,
  id: 36,
}

/** What would move the cursor of a terminal, or colour it, shown instead of done: events come from outside. */
function visible(cell: string): string {
  return cell.replace(/\p{Cc}/gu, (control) => `\\x${control.charCodeAt(0).toString(16).padStart(2, '0')}`)
}

/**
 * Makes what prints events one by one, as they come: a line each, whatever the format; in yaml an item of one list.
 *
 * @throws UsageError when a chosen column does not exist
 */
export async function linePrinter(
  { process: { stdout } }: CliContext,
  { format, column }: OutputFlags,
): Promise<(event: StreamedEvent) => void> {
  const sheetOf = (...events: readonly StreamedEvent[]) =>
    makeSheet(eventView, events, { columns: column ?? eventView.listed })
  const { columns } = sheetOf()
  switch (format) {
    case 'json': {
      const { renderJson } = await import('../output/json.ts')
      return (event) => stdout.write(renderJson(sheetOf(event), { single: true, indent: false }))
    }
    case 'yaml': {
      const { renderYaml } = await import('../output/yaml.ts')
      return (event) => stdout.write(renderYaml(sheetOf(event), { single: false }))
    }
    case 'value': {
      const { renderValue } = await import('../output/value.ts')
      return (event) => stdout.write(renderValue(sheetOf(event), { single: false }))
    }
    case 'csv': {
      const { renderCsv } = await import('../output/csv.ts')
      const head = renderCsv(sheetOf())
      stdout.write(head)
      return (event) => stdout.write(renderCsv(sheetOf(event)).slice(head.length))
    }
    case 'table': {
      const line = (cells: readonly string[]): string =>
        `${cells.map((cell, at) => (at === cells.length - 1 ? visible(cell) : visible(cell).padEnd(WIDTHS[columns[at]!] ?? 12))).join('  ')}\n`
      if (stdout.isTTY === true) stdout.write(line(columns))
      return (event) => stdout.write(line((sheetOf(event).rows[0] ?? []).map(cellText)))
    }
  }
}
