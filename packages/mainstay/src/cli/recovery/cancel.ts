import { buildCommand } from '@stricli/core'

import type { CliContext } from '../context.ts'
import { act, actParameters, type ActFlags } from './act.ts'

export const recoveryCancel = buildCommand<ActFlags, [string], CliContext>({
  docs: { brief: 'Stop a recovery' },
  parameters: actParameters,
  async func(flags, id) {
    await act(this, flags, id, 'cancel')
  },
})
