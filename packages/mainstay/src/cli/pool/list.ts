import { buildCommand } from '@stricli/core'

import type { PoolVmState } from '../../client/index.ts'
import { connect, connectionFlags, type ConnectionFlags } from '../connection.ts'
import type { CliContext } from '../context.ts'
import { follow, followFlags, type FollowFlags } from '../follow.ts'
import { limitFlag, type LimitFlags } from '../limit.ts'
import { listOutputFlags, outputAliases, type ListOutputFlags } from '../output/flags.ts'
import { renderList } from '../output/print.ts'
import { textFlag } from '../text-argument.ts'
import { vmView } from './view.ts'

interface Flags extends ConnectionFlags, ListOutputFlags, LimitFlags, FollowFlags {
  readonly group?: string
  readonly state?: string
  readonly owner?: string
}

export const poolList = buildCommand<Flags, [], CliContext>({
  docs: { brief: 'List the machines of the pool' },
  parameters: {
    flags: {
      group: textFlag('GROUP', 'Only those of this group'),
      state: textFlag('STATE', 'Only those in this state, for example ready or in_use'),
      owner: textFlag('OWNER', 'Only those that are bound to this owner'),
      ...limitFlag,
      ...listOutputFlags,
      ...followFlags,
      ...connectionFlags,
    },
    aliases: outputAliases,
  },
  async func(flags) {
    const client = await connect(this, flags)
    const { group, owner, limit } = flags
    const state = flags.state as PoolVmState | undefined
    await follow(this, flags, {
      fetch: async () => await client.pools.list({ group, state, owner, limit, signal: this.signal }),
      render: async (vms) => await renderList(this, flags, vmView, vms),
    })
  },
})
