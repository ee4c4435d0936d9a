import { buildRouteMap } from '@stricli/core'

import type { CliContext } from '../context.ts'
import { vmoveRoutes } from '../vmove/routes.ts'
import { notificationCreate } from './create.ts'
import { notificationList } from './list.ts'
import { notificationShow } from './show.ts'

/** `mainstay notification …`; its `vmove` is where the `openstack` client has it. */
export const notificationRoutes = buildRouteMap<string, CliContext>({
  docs: { brief: 'Reports of failures, and what became of them' },
  routes: { list: notificationList, show: notificationShow, create: notificationCreate, vmove: vmoveRoutes },
})
