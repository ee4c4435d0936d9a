import { withBearer } from '../../events/access/bearer.ts'
import { historyRoutes } from '../../events/history/routes.ts'
import type { WebhookDesk } from '../../events/webhooks/desk.ts'
import { webhookRoutes } from '../../events/webhooks/routes.ts'
import { registerNative, type HttpApp } from '../../http/index.ts'
import type { Access } from '../build-access.ts'
import type { Parts } from '../parts.ts'
import { cloudEventOptions, filterLimits } from './open-stream.ts'

/** History and webhooks, where this process has the role `events`. */
export async function serveEvents(
  app: HttpApp,
  { authenticate }: Access,
  { config, clock, logger, events }: Parts,
  webhooks: WebhookDesk | null,
): Promise<void> {
  if (events === null) return
  const { log } = events
  const { page_events: pageEvents, scan_events: scanEvents, answer_length: answerLength } = config.events.history
  await registerNative(app, { clock, logger, authenticate: withBearer(authenticate) }, (routes) => {
    historyRoutes(routes, {
      log,
      limits: { pageEvents, scanEvents, answerLength },
      filterLimits: filterLimits(config),
      cloudEvents: cloudEventOptions(config),
    })
    if (webhooks !== null) webhookRoutes(routes, webhooks)
  })
}
