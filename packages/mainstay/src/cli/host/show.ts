import { buildCommand } from '@stricli/core'

import { connect, connectionFlags, type ConnectionFlags } from '../connection.ts'
import type { CliContext } from '../context.ts'
import { follow, followFlags, type FollowFlags } from '../follow.ts'
import { outputAliases, outputFlags, type OutputFlags } from '../output/flags.ts'
import { renderRecord } from '../output/print.ts'
import { hostUuid, segmentUuid } from '../resolve.ts'
import { textArgument } from '../text-argument.ts'
import { hostView } from './view.ts'

interface Flags extends ConnectionFlags, OutputFlags, FollowFlags {}

export const hostShow = buildCommand<Flags, [string, string], CliContext>({
  docs: { brief: 'Show one host' },
  parameters: {
    flags: { ...outputFlags, ...followFlags, ...connectionFlags },
    aliases: outputAliases,
    positional: {
      kind: 'tuple',
      parameters: [textArgument('SEGMENT', 'Name or uuid'), textArgument('HOST', 'Name or uuid')],
    },
  },
  async func(flags, segmentName, hostName) {
    const client = await connect(this, flags)
    const { signal } = this
    const segment = await segmentUuid(client, segmentName, signal)
    const uuid = await hostUuid(client, segment, hostName, signal)
    await follow(this, flags, {
      fetch: async () => await client.hosts.show(segment, uuid, { signal }),
      render: async (host) => await renderRecord(this, flags, hostView, host),
    })
  },
})
