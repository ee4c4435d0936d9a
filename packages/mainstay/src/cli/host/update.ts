import { buildCommand } from '@stricli/core'

import { connect, connectionFlags, type ConnectionFlags } from '../connection.ts'
import type { CliContext } from '../context.ts'
import { dryRunFlag, printPlan, type DryRunFlags } from '../dry-run.ts'
import { UsageError } from '../errors.ts'
import { outputAliases, outputFlags, type OutputFlags } from '../output/flags.ts'
import { renderRecord } from '../output/print.ts'
import { hostUuid, segmentUuid } from '../resolve.ts'
import { textArgument, textFlag } from '../text-argument.ts'
import { truthFlag } from '../truth.ts'
import { hostView } from './view.ts'

interface Flags extends ConnectionFlags, OutputFlags, DryRunFlags {
  readonly name?: string
  readonly type?: string
  readonly controlAttributes?: string
  readonly reserved?: boolean
  readonly onMaintenance?: boolean
}

export const hostUpdate = buildCommand<Flags, [string, string], CliContext>({
  docs: { brief: 'Change a host' },
  parameters: {
    flags: {
      name: textFlag('NAME', 'A new name'),
      type: textFlag('TYPE', 'A new type'),
      controlAttributes: textFlag('TEXT', 'New control attributes'),
      reserved: truthFlag('Whether it is kept free to take over'),
      onMaintenance: truthFlag('Whether its failures are left alone'),
      ...dryRunFlag,
      ...outputFlags,
      ...connectionFlags,
    },
    aliases: outputAliases,
    positional: {
      kind: 'tuple',
      parameters: [textArgument('SEGMENT', 'Name or uuid'), textArgument('HOST', 'Name or uuid')],
    },
  },
  async func(flags, segmentName, hostName) {
    const { name, type, controlAttributes, reserved, onMaintenance } = flags
    const host = { name, type, control_attributes: controlAttributes, reserved, on_maintenance: onMaintenance }
    if (Object.values(host).every((member) => member === undefined)) {
      throw new UsageError('Nothing to change: give at least one of the flags that "mainstay host update -h" lists.')
    }
    const client = await connect(this, flags)
    const segment = await segmentUuid(client, segmentName, this.signal)
    const uuid = await hostUuid(client, segment, hostName, this.signal)
    if (flags.dryRun) {
      const { hostPath } = await import('../../client/index.ts')
      const call = { method: 'PUT', api: 'v1', path: hostPath(segment, uuid), body: { host } } as const
      printPlan(this, client, { what: `change the host ${hostName} of the segment ${segmentName}`, ...call })
      return
    }
    const updated = await client.hosts.update(segment, uuid, host, { signal: this.signal })
    this.process.stdout.write(await renderRecord(this, flags, hostView, updated))
  },
})
