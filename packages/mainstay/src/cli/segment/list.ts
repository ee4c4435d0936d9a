import { buildCommand } from '@stricli/core'

import { connect, connectionFlags, type ConnectionFlags } from '../connection.ts'
import type { CliContext } from '../context.ts'
import { follow, followFlags, type FollowFlags } from '../follow.ts'
import { limitFlag, type LimitFlags } from '../limit.ts'
import { listOutputFlags, outputAliases, type ListOutputFlags } from '../output/flags.ts'
import { renderList } from '../output/print.ts'
import { textFlag } from '../text-argument.ts'
import { truthFlag } from '../truth.ts'
import { segmentView } from './view.ts'

interface Flags extends ConnectionFlags, ListOutputFlags, LimitFlags, FollowFlags {
  readonly recoveryMethod?: string
  readonly serviceType?: string
  readonly enabled?: boolean
}

export const segmentList = buildCommand<Flags, [], CliContext>({
  docs: { brief: 'List failover segments, the newest first' },
  parameters: {
    flags: {
      recoveryMethod: textFlag('METHOD', 'Only those that recover this way'),
      serviceType: textFlag('TYPE', 'Only those of this service type'),
      enabled: truthFlag('Only those that are, or are not, enabled'),
      ...limitFlag,
      ...listOutputFlags,
      ...followFlags,
      ...connectionFlags,
    },
    aliases: outputAliases,
  },
  async func(flags) {
    const client = await connect(this, flags)
    const { recoveryMethod, serviceType, enabled, limit } = flags
    const options = { recoveryMethod, serviceType, enabled, limit, signal: this.signal }
    await follow(this, flags, {
      fetch: async () => await Array.fromAsync(client.segments.list(options)),
      render: async (segments) => await renderList(this, flags, segmentView, segments),
    })
  },
})
