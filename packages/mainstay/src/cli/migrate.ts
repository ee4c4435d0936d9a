import { buildCommand } from '@stricli/core'

import { configurationFlags, configurationOf, type ConfigurationFlags } from './configuration-flags.ts'
import { debugFlag } from './connection.ts'
import type { CliContext } from './context.ts'
import { dryRunFlag, type DryRunFlags } from './dry-run.ts'
import { serverPart } from './load-server.ts'
import { textFlag } from './text-argument.ts'

interface Flags extends ConfigurationFlags, DryRunFlags {
  readonly importDatabase?: string
  readonly debug: boolean
}

export const migrate = buildCommand<Flags, [], CliContext>({
  docs: { brief: 'Create the database, or bring it up to date' },
  parameters: {
    flags: {
      importDatabase: textFlag(
        'URL',
        'Also take over the records of a Masakari database: its address, or a SQLite file',
      ),
      ...dryRunFlag,
      ...configurationFlags,
      ...debugFlag,
    },
  },
  async func(flags) {
    const work = await serverPart(this.loadServer, 'migrate')
    const { dryRun, importDatabase } = flags
    const names = await work({ ...configurationOf(this, flags), dryRun, importDatabase })
    if (names.length === 0) this.process.stdout.write('The database is up to date.\n')
    for (const name of names) this.process.stdout.write(`${flags.dryRun ? 'Would run' : 'Ran'} ${name}\n`)
  },
})
