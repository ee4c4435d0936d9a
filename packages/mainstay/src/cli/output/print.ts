import type { CliContext } from '../context.ts'
import type { ListOutputFlags, OutputFlags } from './flags.ts'
import { makeSheet } from './sheet.ts'
import type { Sheet, View } from './view.ts'

/**
 * The text of a list in the format that the flags ask for.
 *
 * @throws UsageError when a chosen column does not exist
 */
export async function renderList<T>(
  context: CliContext,
  flags: ListOutputFlags,
  view: View<T>,
  records: readonly T[],
): Promise<string> {
  const columns = flags.column ?? view.listed
  return await render(context, flags, makeSheet(view, records, { columns, sortColumns: flags.sortColumn }), false)
}

/** The text of one record, as {@link renderList}. */
export async function renderRecord<T>(
  context: CliContext,
  flags: OutputFlags,
  view: View<T>,
  record: T,
): Promise<string> {
  const columns = flags.column ?? view.shown
  return await render(context, flags, makeSheet(view, [record], { columns }), true)
}

/** Each format is loaded when it is asked for, so that the program starts without any. */
async function render(context: CliContext, flags: OutputFlags, sheet: Sheet, single: boolean): Promise<string> {
  switch (flags.format) {
    case 'json':
      return (await import('./json.ts')).renderJson(sheet, { single, indent: !flags.noindent })
    case 'yaml':
      return (await import('./yaml.ts')).renderYaml(sheet, { single })
    case 'csv':
      return (await import('./csv.ts')).renderCsv(sheet)
    case 'value':
      return (await import('./value.ts')).renderValue(sheet, { single })
    case 'table': {
      const { renderRecordTable, renderTable } = await import('./table.ts')
      const maxWidth = widthLimit(context, flags)
      return single
        ? renderRecordTable(sheet.columns, sheet.rows[0] ?? [], { maxWidth })
        : renderTable(sheet, { maxWidth })
    }
  }
}

/** The terminal's width when tables are to fit it; a pipe has none, there `COLUMNS` says it. */
function widthLimit({ process: { stdout, env } }: CliContext, flags: OutputFlags): number | undefined {
  if (!flags.fitWidth && env['CLIFF_FIT_WIDTH'] !== '1') return undefined
  const columns = stdout.columns ?? Number(env['COLUMNS'] ?? Number.NaN)
  return Number.isInteger(columns) && columns > 0 ? columns : undefined
}
