import { buildCommand } from '@stricli/core'

import { connect, connectionFlags, type ConnectionFlags } from '../connection.ts'
import type { CliContext } from '../context.ts'
import { follow, followFlags, type FollowFlags } from '../follow.ts'
import { textArgument } from '../text-argument.ts'
import { explainRecovery } from './explanation.ts'
import { isSettled } from './settled.ts'

interface Flags extends ConnectionFlags, FollowFlags {}

export const recoveryExplain = buildCommand<Flags, [string], CliContext>({
  docs: {
    brief: 'Say why a recovery did what it did, and where the time went',
    fullDescription:
      'What was seen, which rule decided, its verdict and why; the timeline with the slowest part named; what failed ' +
      'and what can be done now. "mainstay recovery show -f json" has the same record in full.',
  },
  parameters: {
    flags: { ...followFlags, ...connectionFlags },
    positional: { kind: 'tuple', parameters: [textArgument('RECOVERY', 'Its id')] },
  },
  async func(flags, id) {
    const client = await connect(this, flags)
    // A growing time would make every look a change, which a pipe would print each time.
    const timeless = flags.watch && this.process.stdout.isTTY !== true
    await follow(this, flags, {
      fetch: async () => await client.recoveries.show(id, { signal: this.signal }),
      render: (recovery) => explainRecovery(recovery, timeless ? undefined : this.clock.now()),
      done: isSettled,
    })
  },
})
