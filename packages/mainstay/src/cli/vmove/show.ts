import { buildCommand } from '@stricli/core'

import { connect, connectionFlags, type ConnectionFlags } from '../connection.ts'
import type { CliContext } from '../context.ts'
import { follow, followFlags, type FollowFlags } from '../follow.ts'
import { outputAliases, outputFlags, type OutputFlags } from '../output/flags.ts'
import { renderRecord } from '../output/print.ts'
import { textArgument } from '../text-argument.ts'
import { vmoveView } from './view.ts'

interface Flags extends ConnectionFlags, OutputFlags, FollowFlags {}

export const vmoveShow = buildCommand<Flags, [string, string], CliContext>({
  docs: { brief: 'Show how one guest was moved' },
  parameters: {
    flags: { ...outputFlags, ...followFlags, ...connectionFlags },
    aliases: outputAliases,
    positional: {
      kind: 'tuple',
      parameters: [
        textArgument('NOTIFICATION', 'Uuid of the notification of the host'),
        textArgument('VMOVE', 'Its uuid'),
      ],
    },
  },
  async func(flags, notification, uuid) {
    const client = await connect(this, flags)
    await follow(this, flags, {
      fetch: async () => await client.vmoves.show(notification, uuid, { signal: this.signal }),
      render: async (vmove) => await renderRecord(this, flags, vmoveView, vmove),
    })
  },
})
