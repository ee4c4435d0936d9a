import { buildCommand } from '@stricli/core'

import { connect, connectionFlags, type ConnectionFlags } from '../connection.ts'
import type { CliContext } from '../context.ts'
import { follow, followFlags, type FollowFlags } from '../follow.ts'
import { outputAliases, outputFlags, type OutputFlags } from '../output/flags.ts'
import { renderRecord } from '../output/print.ts'
import { textArgument } from '../text-argument.ts'
import { isSettled, refuseFailed } from './settled.ts'
import { notificationView } from './view.ts'

interface Flags extends ConnectionFlags, OutputFlags, FollowFlags {}

export const notificationShow = buildCommand<Flags, [string], CliContext>({
  docs: {
    brief: 'Show one notification and how far its recovery is',
    fullDescription:
      'With --watch it goes on until the notification is finished, ignored or failed; it exits 1 when it failed.',
  },
  parameters: {
    flags: { ...outputFlags, ...followFlags, ...connectionFlags },
    aliases: outputAliases,
    positional: { kind: 'tuple', parameters: [textArgument('NOTIFICATION', 'Its uuid')] },
  },
  async func(flags, uuid) {
    const client = await connect(this, flags)
    const last = await follow(this, flags, {
      fetch: async () => await client.notifications.show(uuid, { signal: this.signal }),
      render: async (notification) => await renderRecord(this, flags, notificationView, notification),
      done: isSettled,
    })
    if (flags.watch) refuseFailed(last)
  },
})
