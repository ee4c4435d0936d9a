import { buildCommand } from '@stricli/core'

import type { CliContext } from '../context.ts'
import { UsageError } from '../errors.ts'
import { oneOf } from '../one-of.ts'
import { textArgument } from '../text-argument.ts'
import { operate, operateFlags, type OperateFlags, type Operation } from './operate.ts'

interface DrainFlags extends OperateFlags {
  readonly mode: 'terminate' | 'keep'
}

const subject = {
  kind: 'tuple',
  parameters: [textArgument('SUBJECT', 'A machine, or group:NAME, or provider:NAME')],
} as const

export const poolDrain = buildCommand<DrainFlags, [string], CliContext>({
  docs: {
    brief: 'Let a machine, a group or a provider end its uses and begin no new ones',
    fullDescription: 'SUBJECT is the name of a machine, or group:NAME, or provider:NAME.',
  },
  parameters: {
    flags: {
      mode: {
        ...oneOf(['terminate', 'keep']),
        kind: 'parsed',
        default: 'terminate',
        placeholder: 'MODE',
        brief: 'terminate destroys the machines once they are idle, keep only hands them out no more',
      },
      ...operateFlags,
    },
    positional: subject,
  },
  async func(flags, text) {
    await operate(this, flags, await drainOperation(text, 'drain', { mode: flags.mode }))
  },
})

export const poolUndrain = buildCommand<OperateFlags, [string], CliContext>({
  docs: { brief: 'Hand out a drained machine, or the machines of a group or a provider, again' },
  parameters: { flags: operateFlags, positional: subject },
  async func(flags, text) {
    await operate(this, flags, await drainOperation(text, 'undrain', {}))
  },
})

async function drainOperation(text: string, action: 'drain' | 'undrain', body: object): Promise<Operation> {
  const { poolPath, vmPath } = await import('../../client/index.ts')
  const [kind, ...rest] = text.split(':')
  const name = rest.join(':')
  const done = action === 'drain' ? `Drained: ${text}` : `No longer drained: ${text}`
  const what = `${action} ${text}`
  if (rest.length === 0) return { what, path: vmPath(text, action), body, done }
  if (name !== '' && kind === 'group') return { what, path: poolPath('groups', name, action), body, done }
  if (name !== '' && kind === 'provider') return { what, path: poolPath('providers', name, action), body, done }
  throw new UsageError(`"${text}" is no subject: write the name of a machine, group:NAME or provider:NAME.`)
}
