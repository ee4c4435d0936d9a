import { buildCommand } from '@stricli/core'

import { connect, connectionFlags, type ConnectionFlags } from '../connection.ts'
import type { CliContext } from '../context.ts'
import { dryRunFlag, printPlan, type DryRunFlags } from '../dry-run.ts'
import { outputAliases, outputFlags, type OutputFlags } from '../output/flags.ts'
import { renderRecord } from '../output/print.ts'
import { segmentUuid } from '../resolve.ts'
import { textArgument } from '../text-argument.ts'
import { truthFlag } from '../truth.ts'
import { hostView } from './view.ts'

interface Flags extends ConnectionFlags, OutputFlags, DryRunFlags {
  readonly reserved?: boolean
  readonly onMaintenance?: boolean
}

export const hostCreate = buildCommand<Flags, [string, string, string, string], CliContext>({
  docs: { brief: 'Add a host to a failover segment' },
  parameters: {
    flags: {
      reserved: truthFlag('Whether it is kept free to take over; false without it'),
      onMaintenance: truthFlag('Whether its failures are left alone; false without it'),
      ...dryRunFlag,
      ...outputFlags,
      ...connectionFlags,
    },
    aliases: outputAliases,
    positional: {
      kind: 'tuple',
      parameters: [
        textArgument('NAME', 'Its name, as the compute service has it'),
        textArgument('TYPE', 'Letters and digits, usually COMPUTE'),
        textArgument('CONTROL_ATTRIBUTES', 'Free text, usually SSH'),
        textArgument('SEGMENT', 'Name or uuid'),
      ],
    },
  },
  async func(flags, name, type, controlAttributes, segment) {
    const client = await connect(this, flags)
    const uuid = await segmentUuid(client, segment, this.signal)
    const { reserved, onMaintenance } = flags
    const host = { name, type, control_attributes: controlAttributes, reserved, on_maintenance: onMaintenance }
    if (flags.dryRun) {
      const { hostsPath } = await import('../../client/index.ts')
      const call = { method: 'POST', api: 'v1', path: hostsPath(uuid), body: { host } } as const
      printPlan(this, client, { what: `add the host ${name} to the segment ${segment}`, ...call })
      return
    }
    const created = await client.hosts.create(uuid, host, { signal: this.signal })
    this.process.stdout.write(await renderRecord(this, flags, hostView, created))
  },
})
