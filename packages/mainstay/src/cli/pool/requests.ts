import { buildCommand } from '@stricli/core'

import { connect, connectionFlags, type ConnectionFlags } from '../connection.ts'
import type { CliContext } from '../context.ts'
import { follow, followFlags, type FollowFlags } from '../follow.ts'
import { limitFlag, parseCount, type LimitFlags } from '../limit.ts'
import { listOutputFlags, outputAliases, type ListOutputFlags } from '../output/flags.ts'
import { renderList } from '../output/print.ts'
import { textArgument, textFlag } from '../text-argument.ts'
import { operate, operateFlags, type OperateFlags } from './operate.ts'
import { requestView } from './view.ts'

interface Flags extends ConnectionFlags, ListOutputFlags, LimitFlags, FollowFlags {}

const request = { kind: 'tuple', parameters: [textArgument('REQUEST', 'Its id')] } as const

export const poolRequests = buildCommand<Flags, [], CliContext>({
  docs: { brief: 'List the requests that wait' },
  parameters: {
    flags: { ...limitFlag, ...listOutputFlags, ...followFlags, ...connectionFlags },
    aliases: outputAliases,
  },
  async func(flags) {
    const client = await connect(this, flags)
    await follow(this, flags, {
      fetch: async () => await client.pools.requests({ limit: flags.limit, signal: this.signal }),
      render: async (requests) => await renderList(this, flags, requestView, requests),
    })
  },
})

export const poolCancel = buildCommand<OperateFlags, [string], CliContext>({
  docs: { brief: 'Take a request out of the queue' },
  parameters: { flags: operateFlags, positional: request },
  async func(flags, id) {
    const { poolPath } = await import('../../client/index.ts')
    await operate(this, flags, {
      what: `cancel the request ${id}`,
      path: poolPath('requests', id, 'cancel'),
      done: `Cancelled: ${id}`,
    })
  },
})

interface ReorderFlags extends OperateFlags {
  readonly priority?: number
  readonly ahead?: string
}

export const poolReorder = buildCommand<ReorderFlags, [string], CliContext>({
  docs: { brief: 'Change the priority of a request, or move it ahead of another of its owner' },
  parameters: {
    flags: {
      priority: {
        kind: 'parsed',
        parse: parseCount,
        placeholder: 'N',
        optional: true,
        brief: '0 to 1000, higher first',
      },
      ahead: textFlag('REQUEST', 'Directly before this one'),
      ...operateFlags,
    },
    positional: request,
  },
  async func(flags, id) {
    const { poolPath } = await import('../../client/index.ts')
    const { priority, ahead } = flags
    await operate(this, flags, {
      what: `move the request ${id}`,
      path: poolPath('requests', id, 'reorder'),
      body: { priority, ahead },
      done: `Moved: ${id}`,
    })
  },
})
