import { buildRouteMap } from '@stricli/core'

import type { CliContext } from '../context.ts'
import { computeHostDisable, computeHostEnable } from './act.ts'
import { computeHostList } from './list.ts'

/** `mainstay compute-host …`. */
export const computeHostRoutes = buildRouteMap<string, CliContext>({
  docs: { brief: 'Hosts as the compute platform has them, and whether they take new guests' },
  routes: { list: computeHostList, enable: computeHostEnable, disable: computeHostDisable },
})
