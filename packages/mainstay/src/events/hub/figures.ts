import type { Counter, Gauge, Histogram } from 'prom-client'

import type { Metrics } from '../../core/metrics.ts'
import type { SlowPolicy } from './flow.ts'

/** What the hub counts. Source: event-stream.md R38. */
export class HubFigures {
  readonly connections: Gauge<'transport'>
  readonly #deliveries: Counter
  readonly #latency: Histogram
  readonly #slow: Counter<'policy'>
  readonly #resumes: Counter<'result'>
  readonly #lag: Gauge
  /** Counted here first: a counter of the library costs more than the delivery. */
  #delivered = 0

  constructor(metrics: Metrics) {
    this.connections = metrics.gauge('mainstay_events_stream_connections', 'Open connections of the event stream', [
      'transport',
    ])
    this.#deliveries = metrics.counter('mainstay_events_deliveries_total', 'Events handed to connections')
    this.#latency = metrics.seconds(
      'mainstay_events_delivery_latency_seconds',
      'From taking an event in until it is written to the connections, in seconds; the oldest event of each write',
    )
    this.#slow = metrics.counter(
      'mainstay_events_slow_consumers_total',
      'How often a connection that did not read fast enough was treated by its policy',
      ['policy'],
    )
    this.#resumes = metrics.counter(
      'mainstay_events_resumes_total',
      'Connections that asked for history, by what became of it: resumed, or the reason of a reset',
      ['result'],
    )
    this.#lag = metrics.gauge('mainstay_events_connection_lag_events', 'Events that the slowest connection is behind')
  }

  delivered(count: number): void {
    this.#delivered += count
  }

  latency(ms: number): void {
    this.#latency.observe(Math.max(0, ms) / 1000)
  }

  slow(policy: SlowPolicy): void {
    this.#slow.inc({ policy })
  }

  resumed(result: string): void {
    this.#resumes.inc({ result })
  }

  /** Brings the figures up to date. To be called regularly. */
  publish(lag: number): void {
    this.#lag.set(lag)
    this.#deliveries.inc(this.#delivered)
    this.#delivered = 0
  }
}
