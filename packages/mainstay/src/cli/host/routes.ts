import { buildRouteMap } from '@stricli/core'

import type { CliContext } from '../context.ts'
import { hostCreate } from './create.ts'
import { hostDelete } from './delete.ts'
import { hostList } from './list.ts'
import { hostShow } from './show.ts'
import { hostUpdate } from './update.ts'

/** `mainstay host …` and `mainstay segment host …`. */
export const hostRoutes = buildRouteMap<string, CliContext>({
  docs: { brief: 'Hosts of failover segments' },
  routes: { list: hostList, show: hostShow, create: hostCreate, update: hostUpdate, delete: hostDelete },
})
