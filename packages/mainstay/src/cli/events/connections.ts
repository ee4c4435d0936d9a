import { buildCommand, buildRouteMap } from '@stricli/core'

import { connect, connectionFlags, type ConnectionFlags } from '../connection.ts'
import type { CliContext } from '../context.ts'
import { dryRunFlag, printPlan, type DryRunFlags } from '../dry-run.ts'
import { eachOf } from '../each-of.ts'
import { follow, followFlags, type FollowFlags } from '../follow.ts'
import { limitFlag, type LimitFlags } from '../limit.ts'
import { listOutputFlags, outputAliases, type ListOutputFlags } from '../output/flags.ts'
import { renderList } from '../output/print.ts'
import { textArgument } from '../text-argument.ts'
import { connectionView } from './view.ts'

interface ListFlags extends ConnectionFlags, ListOutputFlags, LimitFlags, FollowFlags {}

const list = buildCommand<ListFlags, [], CliContext>({
  docs: { brief: 'List who listens to the stream of one node' },
  parameters: {
    flags: { ...limitFlag, ...listOutputFlags, ...followFlags, ...connectionFlags },
    aliases: outputAliases,
  },
  async func(flags) {
    const client = await connect(this, flags)
    await follow(this, flags, {
      fetch: async () => (await client.events.connections({ signal: this.signal })).slice(0, flags.limit),
      render: async (connections) => await renderList(this, flags, connectionView, connections),
    })
  },
})

interface CloseFlags extends ConnectionFlags, DryRunFlags {}

const close = buildCommand<CloseFlags, string[], CliContext>({
  docs: { brief: 'End connections; their clients are told not to come back' },
  parameters: {
    flags: { ...dryRunFlag, ...connectionFlags },
    positional: { kind: 'array', parameter: textArgument('CONNECTION', 'Its id'), minimum: 1 },
  },
  async func(flags, ...ids) {
    const client = await connect(this, flags)
    await eachOf(this, flags, ids, async (id) => {
      if (flags.dryRun) {
        const { connectionPath } = await import('../../client/index.ts')
        const call = { method: 'DELETE', api: 'root', path: connectionPath(id) } as const
        printPlan(this, client, { what: `end the connection ${id}`, ...call })
        return
      }
      await client.events.closeConnection(id, { signal: this.signal })
      this.process.stdout.write(`Connection closed: ${id}\n`)
    })
  },
})

/** `mainstay events connections …`. */
export const connectionRoutes = buildRouteMap<string, CliContext>({
  docs: { brief: 'Who listens to the stream' },
  routes: { list, close },
  defaultCommand: 'list',
})
