import { buildCommand } from '@stricli/core'

import { connect, connectionFlags, type ConnectionFlags } from '../connection.ts'
import type { CliContext } from '../context.ts'
import { follow, followFlags, type FollowFlags } from '../follow.ts'
import { listOutputFlags, outputAliases, type ListOutputFlags } from '../output/flags.ts'
import { renderList } from '../output/print.ts'
import { textArgument } from '../text-argument.ts'
import { operate, operateFlags, type OperateFlags } from './operate.ts'
import { providerView } from './view.ts'

interface Flags extends ConnectionFlags, ListOutputFlags, FollowFlags {}

export const poolProviders = buildCommand<Flags, [], CliContext>({
  docs: { brief: 'Show where machines come from, and how that goes' },
  parameters: { flags: { ...listOutputFlags, ...followFlags, ...connectionFlags }, aliases: outputAliases },
  async func(flags) {
    const client = await connect(this, flags)
    await follow(this, flags, {
      fetch: async () => await client.pools.providers({ signal: this.signal }),
      render: async (providers) => await renderList(this, flags, providerView, providers),
    })
  },
})

export const poolEnable = buildCommand<OperateFlags, [string], CliContext>({
  docs: { brief: 'Let a provider be asked again at once, for example after its credentials were repaired' },
  parameters: {
    flags: operateFlags,
    positional: { kind: 'tuple', parameters: [textArgument('PROVIDER', 'Its name')] },
  },
  async func(flags, name) {
    const { poolPath } = await import('../../client/index.ts')
    await operate(this, flags, {
      what: `enable the provider ${name}`,
      path: poolPath('providers', name, 'enable'),
      done: `Enabled: ${name}`,
    })
  },
})
