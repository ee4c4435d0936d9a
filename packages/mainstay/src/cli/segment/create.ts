import { buildCommand } from '@stricli/core'

import type { RecoveryMethod } from '../../client/index.ts'
import { connect, connectionFlags, type ConnectionFlags } from '../connection.ts'
import type { CliContext } from '../context.ts'
import { dryRunFlag, printPlan, type DryRunFlags } from '../dry-run.ts'
import { outputAliases, outputFlags, type OutputFlags } from '../output/flags.ts'
import { renderRecord } from '../output/print.ts'
import { textArgument, textFlag } from '../text-argument.ts'
import { truthFlag } from '../truth.ts'
import { recoveryMethodArgument } from './recovery-method.ts'
import { segmentView } from './view.ts'

interface Flags extends ConnectionFlags, OutputFlags, DryRunFlags {
  readonly description?: string
  readonly isEnabled?: boolean
}

export const segmentCreate = buildCommand<Flags, [string, RecoveryMethod, string], CliContext>({
  docs: { brief: 'Create a failover segment' },
  parameters: {
    flags: {
      description: textFlag('TEXT', 'What it is for'),
      isEnabled: truthFlag('Whether its failures are recovered; true without it'),
      ...dryRunFlag,
      ...outputFlags,
      ...connectionFlags,
    },
    aliases: outputAliases,
    positional: {
      kind: 'tuple',
      parameters: [
        textArgument('NAME', 'Its name'),
        recoveryMethodArgument,
        textArgument('SERVICE_TYPE', 'Free text, usually COMPUTE'),
      ],
    },
  },
  async func(flags, name, recoveryMethod, serviceType) {
    const client = await connect(this, flags)
    const { description, isEnabled: enabled } = flags
    const segment = { name, recovery_method: recoveryMethod, service_type: serviceType, description, enabled }
    if (flags.dryRun) {
      const call = { method: 'POST', api: 'v1', path: '/segments', body: { segment } } as const
      printPlan(this, client, { what: `create the segment "${name}"`, ...call })
      return
    }
    const created = await client.segments.create(segment, { signal: this.signal })
    this.process.stdout.write(await renderRecord(this, flags, segmentView, created))
  },
})
