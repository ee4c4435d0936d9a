import { buildCommand } from '@stricli/core'

import { connect } from '../connection.ts'
import type { CliContext } from '../context.ts'
import { eachOf } from '../each-of.ts'
import { RefusedError } from '../errors.ts'
import { textArgument } from '../text-argument.ts'
import { operate, operateFlags, type OperateFlags } from './operate.ts'

interface DeleteFlags extends OperateFlags {
  readonly force: boolean
}

const names = { kind: 'array', parameter: textArgument('VM', 'Names of machines'), minimum: 1 } as const

export const poolDelete = buildCommand<DeleteFlags, string[], CliContext>({
  docs: { brief: 'Destroy machines; those in use only with --force' },
  parameters: {
    flags: {
      force: { kind: 'boolean', default: false, withNegated: false, brief: 'Also machines that somebody uses' },
      ...operateFlags,
    },
    positional: names,
  },
  async func(flags, ...vms) {
    const { vmPath } = await import('../../client/index.ts')
    const client = await connect(this, flags)
    await eachOf(this, flags, vms, async (name) => {
      const { state, worker, owner } = await client.pools.show(name, { signal: this.signal })
      if (state === 'in_use' && !flags.force) {
        throw new RefusedError(
          `${name} is used by ${worker ?? 'somebody'} of ${owner ?? 'nobody'}. Say --force to end it.`,
        )
      }
      const body = { force: flags.force }
      await operate(this, flags, {
        what: `destroy ${name}`,
        method: 'DELETE',
        path: vmPath(name),
        body,
        done: `Destroyed: ${name}`,
      })
    })
  },
})

export const poolRecheck = buildCommand<OperateFlags, string[], CliContext>({
  docs: { brief: 'Check machines now' },
  parameters: { flags: operateFlags, positional: names },
  async func(flags, ...vms) {
    const { vmPath } = await import('../../client/index.ts')
    await eachOf(this, flags, vms, async (name) => {
      await operate(this, flags, {
        what: `check ${name}`,
        path: vmPath(name, 'recheck'),
        done: `To be checked: ${name}`,
      })
    })
  },
})
