import { buildCommand } from '@stricli/core'

import { configurationFlags, configurationOf, type ConfigurationFlags } from './configuration-flags.ts'
import { debugFlag } from './connection.ts'
import type { CliContext } from './context.ts'
import { dryRunFlag, type DryRunFlags } from './dry-run.ts'
import { UsageError } from './errors.ts'
import { parseCount } from './limit.ts'
import { serverPart } from './load-server.ts'

interface Flags extends ConfigurationFlags, DryRunFlags {
  readonly ageInDays: number
  readonly maxRows: number
  readonly debug: boolean
}

export const purge = buildCommand<Flags, [], CliContext>({
  docs: {
    brief: 'Remove what was deleted or has ended long ago from the database',
    fullDescription: 'Removes deleted records, and notifications that are finished, failed or ignored.',
  },
  parameters: {
    flags: {
      ageInDays: {
        kind: 'parsed',
        parse: parseCount,
        placeholder: 'N',
        default: '30',
        brief: 'Only what has not changed for this many days',
      },
      maxRows: {
        kind: 'parsed',
        parse: parseMaxRows,
        placeholder: 'N',
        default: '-1',
        brief: 'At most this many records in all; -1 for no bound',
      },
      ...dryRunFlag,
      ...configurationFlags,
      ...debugFlag,
    },
  },
  async func(flags) {
    const { ageInDays, maxRows, dryRun } = flags
    const work = await serverPart(this.loadServer, 'purge')
    const removed = await work({ ...configurationOf(this, flags), ageInDays, maxRows, dryRun })
    for (const [table, count] of Object.entries(removed)) this.process.stdout.write(`${table}: ${count}\n`)
    const total = Object.values(removed).reduce((sum, count) => sum + count, 0)
    this.process.stdout.write(`${dryRun ? 'Would remove' : 'Removed'} ${total} records.\n`)
  },
})

/** Source: ha-api.md 22. @throws UsageError unless it is -1 or at least 1 */
function parseMaxRows(text: string): number {
  if (text === '-1') return -1
  const count = parseCount(text)
  if (count > 0) return count
  throw new UsageError('0 records would remove nothing; give -1 for no bound.')
}
