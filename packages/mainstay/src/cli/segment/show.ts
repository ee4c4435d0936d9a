import { buildCommand } from '@stricli/core'

import { connect, connectionFlags, type ConnectionFlags } from '../connection.ts'
import type { CliContext } from '../context.ts'
import { follow, followFlags, type FollowFlags } from '../follow.ts'
import { outputAliases, outputFlags, type OutputFlags } from '../output/flags.ts'
import { renderRecord } from '../output/print.ts'
import { segmentUuid } from '../resolve.ts'
import { textArgument } from '../text-argument.ts'
import { segmentView } from './view.ts'

interface Flags extends ConnectionFlags, OutputFlags, FollowFlags {}

export const segmentShow = buildCommand<Flags, [string], CliContext>({
  docs: { brief: 'Show one failover segment' },
  parameters: {
    flags: { ...outputFlags, ...followFlags, ...connectionFlags },
    aliases: outputAliases,
    positional: { kind: 'tuple', parameters: [textArgument('SEGMENT', 'Name or uuid')] },
  },
  async func(flags, segment) {
    const client = await connect(this, flags)
    const uuid = await segmentUuid(client, segment, this.signal)
    await follow(this, flags, {
      fetch: async () => await client.segments.show(uuid, { signal: this.signal }),
      render: async (found) => await renderRecord(this, flags, segmentView, found),
    })
  },
})
