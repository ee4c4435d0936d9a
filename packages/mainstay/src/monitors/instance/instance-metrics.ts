import type { Metrics } from '../../core/metrics.ts'

/** Why something that was seen is not told. */
export type Suppressed = 'incoming' | 'same_pause' | 'repeat' | 'no_identity' | 'unexplained' | 'refused' | 'overflow'

/** What the instance monitor counts. Source: monitors.md 12.7. */
export interface InstanceMetrics {
  connected(): void
  disconnected(): void
  compared(result: 'ok' | 'failed'): void
  suppressed(reason: Suppressed): void
}

export function instanceMetrics(metrics: Metrics): InstanceMetrics {
  const up = metrics.gauge('mainstay_libvirt_connected', '1 while libvirt is connected.')
  const reconnects = metrics.counter('mainstay_libvirt_reconnects_total', 'Connections to libvirt after the first.')
  const rounds = metrics.counter('mainstay_monitor_rounds_total', 'Comparisons with the source of truth.', [
    'driver',
    'result',
  ])
  const suppressed = metrics.counter('mainstay_suppressed_total', 'Facts that were seen and not told.', ['reason'])
  let before = false
  return {
    connected: () => {
      up.set(1)
      if (before) reconnects.inc()
      before = true
    },
    disconnected: () => up.set(0),
    compared: (result) => rounds.inc({ driver: 'libvirt', result }),
    suppressed: (reason) => suppressed.inc({ reason }),
  }
}
