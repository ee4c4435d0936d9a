import { buildRouteMap } from '@stricli/core'

import type { CliContext } from '../context.ts'
import { vmoveList } from './list.ts'
import { vmoveShow } from './show.ts'

/** `mainstay vmove …` and `mainstay notification vmove …`. */
export const vmoveRoutes = buildRouteMap<string, CliContext>({
  docs: { brief: 'Guests on their way from a dead host to another' },
  routes: { list: vmoveList, show: vmoveShow },
})
