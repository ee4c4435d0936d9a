import { buildRouteMap } from '@stricli/core'

import type { CliContext } from '../context.ts'
import { webhookCreate } from './webhook-create.ts'
import { webhookDeadLetters, webhookRedeliver } from './webhook-dead-letters.ts'
import { webhookDelete } from './webhook-delete.ts'
import { webhookList, webhookShow } from './webhook-list.ts'
import { webhookUpdate } from './webhook-update.ts'

/** `mainstay events webhooks …`. */
export const webhookRoutes = buildRouteMap<string, CliContext>({
  docs: { brief: 'Events that are posted to other programs' },
  routes: {
    list: webhookList,
    show: webhookShow,
    create: webhookCreate,
    update: webhookUpdate,
    delete: webhookDelete,
    'dead-letters': webhookDeadLetters,
    redeliver: webhookRedeliver,
  },
  defaultCommand: 'list',
})
