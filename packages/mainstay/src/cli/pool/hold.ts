import { buildCommand } from '@stricli/core'

import type { CliContext } from '../context.ts'
import { parseDuration } from '../duration.ts'
import { UsageError } from '../errors.ts'
import { textArgument } from '../text-argument.ts'
import { operate, operateFlags, type OperateFlags } from './operate.ts'

interface HoldFlags extends OperateFlags {
  readonly for?: number
  readonly onFailure: boolean
}

const forFlag = {
  kind: 'parsed',
  parse: parseDuration,
  placeholder: 'DURATION',
  optional: true,
  brief: 'For how long; a day without it',
} as const

export const poolHold = buildCommand<HoldFlags, [string], CliContext>({
  docs: {
    brief: 'Keep a machine as it is, for whoever looks into a failure',
    fullDescription:
      'With --on-failure the argument is task:ID, label:NAME or group:NAME, and the machine of its next failing use is kept.',
  },
  parameters: {
    flags: {
      for: forFlag,
      onFailure: { kind: 'boolean', default: false, withNegated: false, brief: 'The next use that fails is kept' },
      ...operateFlags,
    },
    positional: { kind: 'tuple', parameters: [textArgument('VM', 'Its name; or what fails')] },
  },
  async func(flags, subject) {
    const { POOL_PATHS, vmPath } = await import('../../client/index.ts')
    const { for: forMs, onFailure } = flags
    await operate(
      this,
      flags,
      onFailure
        ? {
            what: `keep the machine of the next failing use of ${subject}`,
            path: POOL_PATHS.failureHolds,
            body: { ...failingUse(subject), ...(forMs === undefined ? {} : { holdMs: forMs }) },
            done: `The next failing use of ${subject} is kept`,
          }
        : {
            what: `put ${subject} on hold`,
            path: vmPath(subject, 'hold'),
            body: forMs === undefined ? {} : { forMs },
            done: `On hold: ${subject}`,
          },
    )
  },
})

export const poolUnhold = buildCommand<OperateFlags, [string], CliContext>({
  docs: { brief: 'End a hold' },
  parameters: {
    flags: operateFlags,
    positional: { kind: 'tuple', parameters: [textArgument('VM', 'Its name')] },
  },
  async func(flags, name) {
    const { vmPath } = await import('../../client/index.ts')
    await operate(this, flags, {
      what: `end the hold of ${name}`,
      path: vmPath(name, 'unhold'),
      done: `No longer on hold: ${name}`,
    })
  },
})

/** @throws UsageError */
function failingUse(text: string): object {
  const [kind, ...rest] = text.split(':')
  const name = rest.join(':')
  if (name !== '' && kind === 'task') return { taskId: name }
  if (name !== '' && (kind === 'label' || kind === 'group')) return { [kind]: name }
  throw new UsageError(`"${text}" does not say what fails: write task:ID, label:NAME or group:NAME.`)
}
