import { buildRouteMap } from '@stricli/core'

import type { CliContext } from '../context.ts'
import { hostRoutes } from '../host/routes.ts'
import { segmentCreate } from './create.ts'
import { segmentDelete } from './delete.ts'
import { segmentList } from './list.ts'
import { segmentShow } from './show.ts'
import { segmentUpdate } from './update.ts'

/** `mainstay segment …`; its `host` is where the `openstack` client has it. */
export const segmentRoutes = buildRouteMap<string, CliContext>({
  docs: { brief: 'Failover segments: hosts that take over from each other' },
  routes: {
    list: segmentList,
    show: segmentShow,
    create: segmentCreate,
    update: segmentUpdate,
    delete: segmentDelete,
    host: hostRoutes,
  },
})
