import { buildCommand } from '@stricli/core'

import { connect, connectionFlags, type ConnectionFlags } from '../connection.ts'
import type { CliContext } from '../context.ts'
import { dryRunFlag, printPlan, type DryRunFlags } from '../dry-run.ts'
import { textArgument } from '../text-argument.ts'

interface Flags extends ConnectionFlags, DryRunFlags {
  readonly token: string
  readonly failed: boolean
}

const tokenFlag = { kind: 'parsed', parse: String, placeholder: 'TOKEN', brief: 'What "pool acquire" printed' } as const

export const poolRelease = buildCommand<Flags, [string], CliContext>({
  docs: { brief: 'Give a machine back' },
  parameters: {
    flags: {
      token: tokenFlag,
      failed: {
        kind: 'boolean',
        default: false,
        withNegated: false,
        brief: 'The use failed: a hold on failure keeps the machine',
      },
      ...dryRunFlag,
      ...connectionFlags,
    },
    positional: { kind: 'tuple', parameters: [textArgument('VM', 'Its name')] },
  },
  async func({ token, failed, ...flags }, name) {
    const client = await connect(this, flags)
    if (flags.dryRun) {
      const { vmPath } = await import('../../client/index.ts')
      const call = { method: 'POST', api: 'root', path: vmPath(name, 'release'), body: { token, failed } } as const
      printPlan(this, client, { what: `give ${name} back`, ...call })
      return
    }
    const { state } = await client.pools.release({ name, token, failed }, { signal: this.signal })
    this.process.stdout.write(`Given back: ${name}, which is ${state} now\n`)
  },
})

export const poolHeartbeat = buildCommand<Omit<Flags, 'failed' | 'dryRun'>, [string], CliContext>({
  docs: { brief: 'Prolong a lease' },
  parameters: {
    flags: { token: tokenFlag, ...connectionFlags },
    positional: { kind: 'tuple', parameters: [textArgument('VM', 'Its name')] },
  },
  async func({ token, ...flags }, name) {
    const client = await connect(this, flags)
    const { expiresInMs, preemptInMs } = await client.pools.heartbeat({ name, token }, { signal: this.signal })
    const stop = preemptInMs === null ? '' : `; it is taken away in ${preemptInMs} ms for a more urgent request`
    this.process.stdout.write(`The lease on ${name} lasts another ${expiresInMs} ms${stop}\n`)
  },
})
