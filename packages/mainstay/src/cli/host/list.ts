import { buildCommand } from '@stricli/core'

import type { Host } from '../../client/index.ts'
import { connect, connectionFlags, type ConnectionFlags } from '../connection.ts'
import type { CliContext } from '../context.ts'
import { follow, followFlags, type FollowFlags } from '../follow.ts'
import { limitFlag, type LimitFlags } from '../limit.ts'
import { listOutputFlags, outputAliases, type ListOutputFlags } from '../output/flags.ts'
import { renderList } from '../output/print.ts'
import { segmentUuid } from '../resolve.ts'
import { textArgument, textFlag } from '../text-argument.ts'
import { truthFlag } from '../truth.ts'
import { hostView } from './view.ts'

interface Flags extends ConnectionFlags, ListOutputFlags, LimitFlags, FollowFlags {
  readonly type?: string
  readonly onMaintenance?: boolean
  readonly reserved?: boolean
}

export const hostList = buildCommand<Flags, [string?], CliContext>({
  docs: { brief: 'List the hosts of a failover segment, or of all of them' },
  parameters: {
    flags: {
      type: textFlag('TYPE', 'Only those of this type'),
      onMaintenance: truthFlag('Only those that are, or are not, under maintenance'),
      reserved: truthFlag('Only those that are, or are not, reserved'),
      ...limitFlag,
      ...listOutputFlags,
      ...followFlags,
      ...connectionFlags,
    },
    aliases: outputAliases,
    positional: {
      kind: 'tuple',
      parameters: [{ ...textArgument('SEGMENT', 'Name or uuid; all segments without it'), optional: true }],
    },
  },
  async func(flags, segment) {
    const client = await connect(this, flags)
    const { signal } = this
    const { type, onMaintenance, reserved, limit } = flags
    const one = segment === undefined ? undefined : await segmentUuid(client, segment, signal)
    await follow(this, flags, {
      fetch: async () => {
        const segments = one === undefined ? await Array.fromAsync(client.segments.list({ signal })) : [{ uuid: one }]
        const hosts: Host[] = []
        for (const { uuid } of segments) {
          const left = limit === undefined ? undefined : limit - hosts.length
          const list = client.hosts.list(uuid, { type, onMaintenance, reserved, limit: left, signal })
          hosts.push(...(await Array.fromAsync(list)))
        }
        return hosts
      },
      render: async (hosts) => await renderList(this, flags, hostView, hosts),
    })
  },
})
