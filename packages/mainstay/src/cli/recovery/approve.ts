import { buildCommand } from '@stricli/core'

import type { CliContext } from '../context.ts'
import { act, actParameters, type ActFlags } from './act.ts'

export const recoveryApprove = buildCommand<ActFlags, [string], CliContext>({
  docs: { brief: 'Let a recovery that a gate holds go on' },
  parameters: actParameters,
  async func(flags, id) {
    await act(this, flags, id, 'approve')
  },
})
