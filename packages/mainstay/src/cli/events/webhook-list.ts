import { buildCommand } from '@stricli/core'

import { connect, connectionFlags, type ConnectionFlags } from '../connection.ts'
import type { CliContext } from '../context.ts'
import { follow, followFlags, type FollowFlags } from '../follow.ts'
import { limitFlag, type LimitFlags } from '../limit.ts'
import { listOutputFlags, outputAliases, outputFlags, type ListOutputFlags, type OutputFlags } from '../output/flags.ts'
import { renderList, renderRecord } from '../output/print.ts'
import { textArgument } from '../text-argument.ts'
import { webhookView } from './view.ts'

interface ListFlags extends ConnectionFlags, ListOutputFlags, LimitFlags, FollowFlags {}

export const webhookList = buildCommand<ListFlags, [], CliContext>({
  docs: { brief: 'List webhooks and how their deliveries do' },
  parameters: {
    flags: { ...limitFlag, ...listOutputFlags, ...followFlags, ...connectionFlags },
    aliases: outputAliases,
  },
  async func(flags) {
    const client = await connect(this, flags)
    await follow(this, flags, {
      fetch: async () => (await client.webhooks.list({ signal: this.signal })).slice(0, flags.limit),
      render: async (webhooks) => await renderList(this, flags, webhookView, webhooks),
    })
  },
})

interface ShowFlags extends ConnectionFlags, OutputFlags, FollowFlags {}

export const webhookShow = buildCommand<ShowFlags, [string], CliContext>({
  docs: { brief: 'Show one webhook' },
  parameters: {
    flags: { ...outputFlags, ...followFlags, ...connectionFlags },
    aliases: outputAliases,
    positional: { kind: 'tuple', parameters: [textArgument('WEBHOOK', 'Its id')] },
  },
  async func(flags, id) {
    const client = await connect(this, flags)
    await follow(this, flags, {
      fetch: async () => await client.webhooks.show(id, { signal: this.signal }),
      render: async (webhook) => await renderRecord(this, flags, webhookView, webhook),
    })
  },
})
