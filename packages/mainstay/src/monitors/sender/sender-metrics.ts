import { Gauge } from 'prom-client'

import type { Metrics } from '../../core/metrics.ts'
import type { Spool } from './spool.ts'
import type { SpoolRecord } from './spool-entry.ts'

/** What the sender counts. Source: monitors.md 12.7. */
export interface SenderMetrics {
  /** @param latencyMs from the source's event to the spool */
  accepted(latencyMs: number): void
  /** @param latencyMs from the spool to the API's answer */
  settled(record: SpoolRecord, result: 'delivered' | 'duplicate' | 'dead_letter', latencyMs: number): void
  failed(record: SpoolRecord): void
}

/** Registers the sender's figures; those of the spool are read when they are asked for. */
export function senderMetrics(metrics: Metrics, spool: Spool, now: () => number): SenderMetrics {
  const detection = metrics.seconds('mainstay_detection_latency_seconds', 'From the event at its source to the spool.')
  const delivery = metrics.seconds('mainstay_delivery_latency_seconds', 'From the spool to the answer of the API.')
  const notifications = metrics.counter('mainstay_notifications_total', 'Attempts to deliver notifications.', [
    'type',
    'event',
    'result',
  ])
  const deadLetters = metrics.counter('mainstay_dead_letters_total', 'Notifications that were given up.')
  const gauge = (name: string, help: string, read: () => number): void => {
    const made: Gauge = new Gauge({ name, help, registers: [metrics.registry], collect: (): void => made.set(read()) })
  }
  gauge('mainstay_spool_records', 'Notifications that wait for delivery.', () => spool.size)
  gauge('mainstay_spool_oldest_seconds', 'How long the oldest of them has waited.', () => {
    return (now() - (spool.oldestMs ?? now())) / 1000
  })
  gauge('mainstay_spool_durable', '0 while the spool is held in memory only.', () => (spool.durable ? 1 : 0))
  const labels = (record: SpoolRecord, result: string): Record<'type' | 'event' | 'result', string> => {
    return { type: record.report.type, event: record.report.payload.event, result }
  }
  return {
    accepted: (latencyMs) => detection.observe(Math.max(0, latencyMs) / 1000),
    settled: (record, result, latencyMs) => {
      notifications.inc(labels(record, result))
      if (result === 'dead_letter') deadLetters.inc()
      else delivery.observe(Math.max(0, latencyMs) / 1000)
    },
    failed: (record) => notifications.inc(labels(record, 'failed')),
  }
}
