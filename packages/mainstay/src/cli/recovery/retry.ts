import { buildCommand } from '@stricli/core'

import type { CliContext } from '../context.ts'
import { act, actParameters, type ActFlags } from './act.ts'

export const recoveryRetry = buildCommand<ActFlags, [string], CliContext>({
  docs: { brief: 'Let a held recovery look again, once its cause is mended' },
  parameters: actParameters,
  async func(flags, id) {
    await act(this, flags, id, 'retry')
  },
})
