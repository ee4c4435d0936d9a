import { buildRouteMap } from '@stricli/core'

import type { CliContext } from '../context.ts'
import { recoveryApprove } from './approve.ts'
import { recoveryCancel } from './cancel.ts'
import { recoveryExplain } from './explain.ts'
import { recoveryList } from './list.ts'
import { recoveryRetry } from './retry.ts'
import { recoveryShow } from './show.ts'

/** `mainstay recovery …`. */
export const recoveryRoutes = buildRouteMap<string, CliContext>({
  docs: { brief: 'What is done about failures, step by step, and why' },
  routes: {
    list: recoveryList,
    show: recoveryShow,
    explain: recoveryExplain,
    approve: recoveryApprove,
    cancel: recoveryCancel,
    retry: recoveryRetry,
  },
})
