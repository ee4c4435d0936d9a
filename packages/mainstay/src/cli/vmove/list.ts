import { buildCommand } from '@stricli/core'

import { connect, connectionFlags, type ConnectionFlags } from '../connection.ts'
import type { CliContext } from '../context.ts'
import { follow, followFlags, type FollowFlags } from '../follow.ts'
import { limitFlag, type LimitFlags } from '../limit.ts'
import { listOutputFlags, outputAliases, type ListOutputFlags } from '../output/flags.ts'
import { renderList } from '../output/print.ts'
import { textArgument, textFlag } from '../text-argument.ts'
import { vmoveView } from './view.ts'

interface Flags extends ConnectionFlags, ListOutputFlags, LimitFlags, FollowFlags {
  readonly status?: string
  readonly type?: string
}

export const vmoveList = buildCommand<Flags, [string], CliContext>({
  docs: { brief: 'List how the guests of a failed host were moved' },
  parameters: {
    flags: {
      status: textFlag('STATUS', 'Only pending, ongoing, ignored, failed or succeeded ones'),
      type: textFlag('TYPE', 'Only evacuation, migration or live_migration ones'),
      ...limitFlag,
      ...listOutputFlags,
      ...followFlags,
      ...connectionFlags,
    },
    aliases: outputAliases,
    positional: { kind: 'tuple', parameters: [textArgument('NOTIFICATION', 'Uuid of the notification of the host')] },
  },
  async func(flags, notification) {
    const client = await connect(this, flags)
    const { status, type, limit } = flags
    const options = { status, type, limit, signal: this.signal }
    await follow(this, flags, {
      fetch: async () => await Array.fromAsync(client.vmoves.list(notification, options)),
      render: async (vmoves) => await renderList(this, flags, vmoveView, vmoves),
    })
  },
})
