import { buildCommand } from '@stricli/core'

import { connect, connectionFlags, type ConnectionFlags } from '../connection.ts'
import type { CliContext } from '../context.ts'
import { follow, followFlags, type FollowFlags } from '../follow.ts'
import { limitFlag, type LimitFlags } from '../limit.ts'
import { listOutputFlags, outputAliases, type ListOutputFlags } from '../output/flags.ts'
import { renderList } from '../output/print.ts'
import { textFlag } from '../text-argument.ts'
import { notificationView } from './view.ts'

interface Flags extends ConnectionFlags, ListOutputFlags, LimitFlags, FollowFlags {
  readonly status?: string
  readonly type?: string
  readonly sourceHostUuid?: string
  readonly generatedSince?: string
}

export const notificationList = buildCommand<Flags, [], CliContext>({
  docs: { brief: 'List notifications, the newest first' },
  parameters: {
    flags: {
      status: textFlag('STATUS', 'Only new, running, finished, ignored, error or failed ones'),
      type: textFlag('TYPE', 'Only COMPUTE_HOST, VM or PROCESS ones'),
      sourceHostUuid: textFlag('UUID', 'Only those of this host'),
      generatedSince: textFlag('TIME', 'Only those that were made at or after this time (ISO 8601)'),
      ...limitFlag,
      ...listOutputFlags,
      ...followFlags,
      ...connectionFlags,
    },
    aliases: outputAliases,
  },
  async func(flags) {
    const client = await connect(this, flags)
    const { status, type, sourceHostUuid, generatedSince, limit } = flags
    const options = { status, type, sourceHostUuid, generatedSince, limit, signal: this.signal }
    await follow(this, flags, {
      fetch: async () => await Array.fromAsync(client.notifications.list(options)),
      render: async (notifications) => await renderList(this, flags, notificationView, notifications),
    })
  },
})
