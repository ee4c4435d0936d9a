import { describeStreamRoute } from '../../events/compat/describe-route.ts'
import { baremetalRoute } from '../../events/openstack/baremetal-route.ts'
import { registerNative, type HttpApp, type NativeDeps } from '../../http/index.ts'
import type { Parts } from '../parts.ts'

/** Routes of those who know the reference: where the stream is, and machines reported over HTTP. */
export async function serveNotifications(app: HttpApp, native: NativeDeps, parts: Parts): Promise<void> {
  const { events, notifications, clock } = parts
  if (events === null || notifications === null) return
  await registerNative(app, native, async (routes) => {
    describeStreamRoute(routes)
    await baremetalRoute(routes, { clock, ingest: events.ingest, baremetal: notifications.baremetal })
  })
}
