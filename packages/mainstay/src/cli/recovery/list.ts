import { buildCommand } from '@stricli/core'

import type { RecoveryStatus } from '../../client/index.ts'
import { RECOVERY_STATUSES } from '../choices.ts'
import { connect, connectionFlags, type ConnectionFlags } from '../connection.ts'
import type { CliContext } from '../context.ts'
import { follow, followFlags, type FollowFlags } from '../follow.ts'
import { limitFlag, type LimitFlags } from '../limit.ts'
import { listOutputFlags, outputAliases, type ListOutputFlags } from '../output/flags.ts'
import { renderList } from '../output/print.ts'
import { oneOf } from '../one-of.ts'
import { textFlag } from '../text-argument.ts'
import { recoveryView } from './view.ts'

interface Flags extends ConnectionFlags, ListOutputFlags, LimitFlags, FollowFlags {
  readonly status?: RecoveryStatus
  readonly host?: string
}

export const recoveryList = buildCommand<Flags, [], CliContext>({
  docs: { brief: 'List recoveries, the newest first' },
  parameters: {
    flags: {
      status: {
        ...oneOf(RECOVERY_STATUSES),
        kind: 'parsed',
        optional: true,
        placeholder: 'STATUS',
        brief: 'Only pending, running, waiting, held, completed, failed or cancelled ones',
      },
      host: textFlag('HOST', 'Only those of this host'),
      ...limitFlag,
      ...listOutputFlags,
      ...followFlags,
      ...connectionFlags,
    },
    aliases: outputAliases,
  },
  async func(flags) {
    const client = await connect(this, flags)
    const { status, host, limit } = flags
    await follow(this, flags, {
      fetch: async () => await client.recoveries.list({ status, host, limit, signal: this.signal }),
      render: async (recoveries) => await renderList(this, flags, recoveryView, recoveries),
    })
  },
})
