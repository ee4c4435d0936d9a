import type { HttpApp } from '../../http/app.ts'
import { COMPAT_PATH } from './compat-endpoint.ts'

export const EVENTS_PATH = '/v1/events'

/** `GET /v1/events`: where the stream is, as the reference tells it. Source: event-stream.md section 6. */
export function describeStreamRoute(app: HttpApp): void {
  app.get(EVENTS_PATH, async () => ({
    result: 'ok',
    websocket_endpoint: COMPAT_PATH,
    description:
      'Connect to this path with a WebSocket to follow the events of all services. Send ' +
      '{"action":"set_filters","event_filters":[…],"node_filters":[…],"service_filters":[…]} to narrow them.',
  }))
}
