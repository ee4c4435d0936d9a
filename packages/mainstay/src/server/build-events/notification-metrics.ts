import type { Metrics } from '../../core/metrics.ts'
import type { NotificationIntakeDeps } from '../../events/openstack/notification-intake.ts'

/** What hearing other programs looks like from outside. Source: event-stream.md R38. */
export class NotificationMetrics {
  readonly figures: Required<Pick<NotificationIntakeDeps, 'onReceived' | 'onDeadLetter' | 'onLeftOut'>>
  readonly #sources = new Map<string, () => boolean>()

  constructor(metrics: Metrics) {
    const received = metrics.counter('mainstay_events_notifications_total', 'Messages of the broker.', ['service'])
    const dead = metrics.counter(
      'mainstay_events_deadletter_total',
      'Messages of the broker that could not be kept, and are gone.',
      ['reason'],
    )
    const leftOut = metrics.counter(
      'mainstay_events_not_forwarded_total',
      'Stored events of which another program was not told, because too many waited for it.',
    )
    const connected = metrics.gauge('mainstay_events_bridge_connected', 'Whether a source of events is heard.', [
      'source',
    ])
    Object.assign(connected, {
      collect: () => {
        for (const [source, isHeard] of this.#sources) connected.set({ source }, isHeard() ? 1 : 0)
      },
    })
    this.figures = {
      onReceived: (service) => received.inc({ service }),
      onDeadLetter: (reason) => dead.inc({ reason }),
      onLeftOut: () => leftOut.inc(),
    }
  }

  /** Shows whether a source is heard, whenever somebody looks. */
  watch(source: string, isHeard: () => boolean): void {
    this.#sources.set(source, isHeard)
  }
}
