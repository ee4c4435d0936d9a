import { buildCommand } from '@stricli/core'

import { connect, connectionFlags, type ConnectionFlags } from '../connection.ts'
import type { CliContext } from '../context.ts'
import { follow, followFlags, type FollowFlags } from '../follow.ts'
import { outputAliases, outputFlags, type OutputFlags } from '../output/flags.ts'
import { renderRecord } from '../output/print.ts'
import { textArgument } from '../text-argument.ts'
import { vmView } from './view.ts'

interface Flags extends ConnectionFlags, OutputFlags, FollowFlags {}

export const poolShow = buildCommand<Flags, [string], CliContext>({
  docs: { brief: 'Show one machine of the pool' },
  parameters: {
    flags: { ...outputFlags, ...followFlags, ...connectionFlags },
    aliases: outputAliases,
    positional: { kind: 'tuple', parameters: [textArgument('VM', 'Its name')] },
  },
  async func(flags, name) {
    const client = await connect(this, flags)
    await follow(this, flags, {
      fetch: async () => await client.pools.show(name, { signal: this.signal }),
      render: async (vm) => await renderRecord(this, flags, vmView, vm),
    })
  },
})
