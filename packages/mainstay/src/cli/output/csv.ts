import type { Json } from '../../core/json.ts'
import { cellText } from './sheet.ts'
import type { Sheet } from './view.ts'

/** Prints rows with a head, everything quoted but numbers, as the `openstack` client does. Source: RFC 4180. */
export function renderCsv(sheet: Sheet): string {
  return [sheet.columns, ...sheet.rows].map((row) => `${row.map(field).join(',')}\n`).join('')
}

function field(cell: Json): string {
  if (typeof cell === 'number') return String(cell)
  return `"${cell === null ? '' : cellText(cell).replaceAll('"', '""')}"`
}
