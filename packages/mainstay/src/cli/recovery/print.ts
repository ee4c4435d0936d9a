import type { Recovery } from '../../client/index.ts'
import type { CliContext } from '../context.ts'
import type { OutputFlags } from '../output/flags.ts'
import { renderList, renderRecord } from '../output/print.ts'
import { recoverySummaryView, recoveryView, stepView } from './view.ts'

/** The text of one run: a table has its summary and its steps, every other format has everything. */
export async function renderRecovery(context: CliContext, flags: OutputFlags, recovery: Recovery): Promise<string> {
  if (flags.format !== 'table') return await renderRecord(context, flags, recoveryView, recovery)
  if (flags.column !== undefined) return await renderRecord(context, flags, recoveryView, recovery)
  const summary = await renderRecord(context, flags, recoverySummaryView, recovery)
  if (recovery.steps.length === 0) return summary
  return summary + (await renderList(context, flags, stepView, recovery.steps))
}
