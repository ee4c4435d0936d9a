import { withBearer } from '../../events/access/bearer.ts'
import { describeStreamRoute } from '../../events/compat/describe-route.ts'
import { baremetalRoute } from '../../events/openstack/baremetal-route.ts'
import { registerNative, type HttpApp } from '../../http/index.ts'
import type { Access } from '../build-access.ts'
import type { Parts } from '../parts.ts'

/** Routes of those who know the reference: where the stream is, and machines reported over HTTP. */
export async function serveNotifications(app: HttpApp, { authenticate }: Access, parts: Parts): Promise<void> {
  const { events, notifications, clock, logger } = parts
  if (events === null || notifications === null) return
  await registerNative(app, { clock, logger, authenticate: withBearer(authenticate) }, async (routes) => {
    describeStreamRoute(routes)
    await baremetalRoute(routes, { clock, ingest: events.ingest, baremetal: notifications.baremetal })
  })
}
