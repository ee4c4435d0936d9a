import type { Counter, Gauge } from 'prom-client'

import type { Metrics } from '../../core/metrics.ts'
import type { Verdict } from './judge.ts'

/** What becomes of an attempt, as the figures name it. */
const RESULTS: Readonly<Record<Verdict['kind'], string>> = {
  delivered: 'delivered',
  again: 'failed',
  dead: 'dead_letter',
  off: 'disabled',
}

/** What the delivery of webhooks counts. Source: event-stream.md R38. */
export class WebhookFigures {
  readonly #attempts: Counter<'result'>
  readonly #couriers: Gauge

  constructor(metrics: Metrics) {
    this.#attempts = metrics.counter(
      'mainstay_events_webhook_attempts_total',
      'Attempts to deliver an event to a webhook, by what became of the event',
      ['result'],
    )
    this.#couriers = metrics.gauge('mainstay_events_webhooks_delivering', 'Webhooks that this process delivers for')
  }

  attempted({ kind }: Verdict): void {
    this.#attempts.inc({ result: RESULTS[kind] })
  }

  delivering(count: number): void {
    this.#couriers.set(count)
  }
}
