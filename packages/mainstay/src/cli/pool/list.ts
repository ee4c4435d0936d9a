import { buildCommand } from '@stricli/core'

import type { MainstayClient, PoolVmState } from '../../client/index.ts'
import { MainstayError } from '../../core/errors.ts'
import { connect, connectionFlags, type ConnectionFlags } from '../connection.ts'
import type { CliContext } from '../context.ts'
import { NoSuchThingError } from '../errors.ts'
import { follow, followFlags, type FollowFlags } from '../follow.ts'
import { limitFlag, type LimitFlags } from '../limit.ts'
import { listOutputFlags, outputAliases, type ListOutputFlags } from '../output/flags.ts'
import { renderList } from '../output/print.ts'
import { textFlag } from '../text-argument.ts'
import { vmView } from './view.ts'

const FORBIDDEN = 403

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
      fetch: async () => {
        const vms = await client.pools.list({ group, state, owner, limit, signal: this.signal })
        if (vms.length === 0 && group !== undefined) await requireGroup(client, group, this.signal)
        return vms
      },
      render: async (vms) => await renderList(this, flags, vmView, vms),
    })
  },
})

/**
 * An empty list may mean that nobody has heard of the group. Who may not see the groups is told nothing of them.
 *
 * @throws NoSuchThingError
 */
async function requireGroup({ pools }: MainstayClient, group: string, signal: AbortSignal): Promise<void> {
  try {
    const { groups } = await pools.overview({ signal })
    if (groups.some((each) => each.group === group)) return
  } catch (error) {
    if (error instanceof MainstayError && error.status === FORBIDDEN) return
    throw error
  }
  throw new NoSuchThingError(`The pool has no group ${group}. "mainstay pool stats" shows those that it has.`)
}
