import { buildRouteMap } from '@stricli/core'

import type { CliContext } from '../context.ts'
import { connectionRoutes } from './connections.ts'
import { eventsHistory } from './history.ts'
import { eventsShow } from './show.ts'
import { eventsTail } from './tail.ts'
import { webhookRoutes } from './webhooks.ts'

/** `mainstay events …`. */
export const eventsRoutes = buildRouteMap<string, CliContext>({
  docs: { brief: 'What happens, as a stream; what has happened; who is told' },
  routes: {
    tail: eventsTail,
    history: eventsHistory,
    show: eventsShow,
    connections: connectionRoutes,
    webhooks: webhookRoutes,
  },
})
