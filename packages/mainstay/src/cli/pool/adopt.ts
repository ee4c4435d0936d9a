import { buildCommand } from '@stricli/core'

import type { CliContext } from '../context.ts'
import { textArgument, textFlag } from '../text-argument.ts'
import { operate, operateFlags, type OperateFlags } from './operate.ts'

interface AdoptFlags extends OperateFlags {
  readonly group: string
  readonly ip: string
  readonly provider?: string
  readonly providerId?: string
}

const needed = (placeholder: string, brief: string) => ({ kind: 'parsed', parse: String, placeholder, brief }) as const

export const poolAdopt = buildCommand<AdoptFlags, [string], CliContext>({
  docs: { brief: 'Take a machine into the pool that somebody else made' },
  parameters: {
    flags: {
      group: needed('GROUP', 'The group it joins'),
      ip: needed('ADDRESS', 'Where it is reached'),
      provider: textFlag('PROVIDER', 'Who destroys it at its end; nobody without it'),
      providerId: textFlag('ID', "The provider's own identifier of it"),
      ...operateFlags,
    },
    positional: { kind: 'tuple', parameters: [textArgument('VM', 'Its name')] },
  },
  async func(flags, name) {
    const { POOL_PATHS } = await import('../../client/index.ts')
    const { group, ip, provider, providerId } = flags
    await operate(this, flags, {
      what: `take ${name} into the group ${group}`,
      path: POOL_PATHS.vms,
      body: { name, group, ip, provider, providerId },
      done: `Taken in: ${name}`,
    })
  },
})
