import { buildCommand } from '@stricli/core'

import type { RecoveryMethod } from '../../client/index.ts'
import { connect, connectionFlags, type ConnectionFlags } from '../connection.ts'
import type { CliContext } from '../context.ts'
import { dryRunFlag, printPlan, type DryRunFlags } from '../dry-run.ts'
import { UsageError } from '../errors.ts'
import { outputAliases, outputFlags, type OutputFlags } from '../output/flags.ts'
import { renderRecord } from '../output/print.ts'
import { segmentUuid } from '../resolve.ts'
import { textArgument, textFlag } from '../text-argument.ts'
import { truthFlag } from '../truth.ts'
import { recoveryMethodFlag } from './recovery-method.ts'
import { segmentView } from './view.ts'

interface Flags extends ConnectionFlags, OutputFlags, DryRunFlags {
  readonly name?: string
  readonly recoveryMethod?: RecoveryMethod
  readonly serviceType?: string
  readonly description?: string
  readonly isEnabled?: boolean
}

export const segmentUpdate = buildCommand<Flags, [string], CliContext>({
  docs: { brief: 'Change a failover segment' },
  parameters: {
    flags: {
      name: textFlag('NAME', 'A new name'),
      recoveryMethod: recoveryMethodFlag,
      serviceType: textFlag('TYPE', 'A new service type'),
      description: textFlag('TEXT', 'A new description'),
      isEnabled: truthFlag('Whether its failures are recovered'),
      ...dryRunFlag,
      ...outputFlags,
      ...connectionFlags,
    },
    aliases: outputAliases,
    positional: { kind: 'tuple', parameters: [textArgument('SEGMENT', 'Name or uuid')] },
  },
  async func(flags, nameOrUuid) {
    const { name, recoveryMethod, serviceType, description, isEnabled: enabled } = flags
    const segment = { name, recovery_method: recoveryMethod, service_type: serviceType, description, enabled }
    if (Object.values(segment).every((member) => member === undefined)) {
      throw new UsageError('Nothing to change: give at least one of the flags that "mainstay segment update -h" lists.')
    }
    const client = await connect(this, flags)
    const uuid = await segmentUuid(client, nameOrUuid, this.signal)
    if (flags.dryRun) {
      const { segmentPath } = await import('../../client/index.ts')
      const call = { method: 'PUT', api: 'v1', path: segmentPath(uuid), body: { segment } } as const
      printPlan(this, client, { what: `change the segment ${nameOrUuid}`, ...call })
      return
    }
    const updated = await client.segments.update(uuid, segment, { signal: this.signal })
    this.process.stdout.write(await renderRecord(this, flags, segmentView, updated))
  },
})
