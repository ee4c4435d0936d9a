import { buildCommand } from '@stricli/core'

import { connect, connectionFlags, type ConnectionFlags } from '../connection.ts'
import type { CliContext } from '../context.ts'
import { follow, followFlags, type FollowFlags } from '../follow.ts'
import { outputAliases, outputFlags, type OutputFlags } from '../output/flags.ts'
import { textArgument } from '../text-argument.ts'
import { renderRecovery } from './print.ts'
import { isSettled, refuseUnlessCompleted } from './settled.ts'

interface Flags extends ConnectionFlags, OutputFlags, FollowFlags {}

export const recoveryShow = buildCommand<Flags, [string], CliContext>({
  docs: {
    brief: 'Show one recovery and its steps',
    fullDescription: 'With --watch it goes on until the recovery has ended, and exits 1 unless it completed.',
  },
  parameters: {
    flags: { ...outputFlags, ...followFlags, ...connectionFlags },
    aliases: outputAliases,
    positional: { kind: 'tuple', parameters: [textArgument('RECOVERY', 'Its id')] },
  },
  async func(flags, id) {
    const client = await connect(this, flags)
    const last = await follow(this, flags, {
      fetch: async () => await client.recoveries.show(id, { signal: this.signal }),
      render: async (recovery) => await renderRecovery(this, flags, recovery),
      done: isSettled,
    })
    if (flags.watch) refuseUnlessCompleted(last)
  },
})
