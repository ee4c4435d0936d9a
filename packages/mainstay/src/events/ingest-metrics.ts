import type { Metrics } from '../core/metrics.ts'
import type { StreamEvent } from './stream-event.ts'

/** Services by name up to this many; a sender that makes names up must not fill the memory of the monitoring. */
const MAX_SERVICES = 64

/** What taking in events looks like from outside. Source: event-stream.md R38. */
export class IngestMetrics {
  readonly #ingested
  readonly #duplicates
  readonly #refused
  readonly #appendSeconds
  readonly #headSeq
  readonly #up
  readonly #services = new Set<string>()

  /** @param spoolBytes read when the metrics are */
  constructor(metrics: Metrics, spoolBytes: () => number) {
    this.#ingested = metrics.counter('mainstay_events_ingested_total', 'Events that the log has taken in.', [
      'service',
      'severity',
    ])
    this.#duplicates = metrics.counter('mainstay_events_duplicates_total', 'Repeats that the log has dropped.')
    this.#refused = metrics.counter(
      'mainstay_events_refused_total',
      'Events that were not taken in because neither the log nor its spool could; their senders keep them.',
    )
    this.#appendSeconds = metrics.seconds('mainstay_events_store_append_seconds', 'How long storing a batch took.')
    this.#headSeq = metrics.gauge('mainstay_events_store_head_seq', 'The last place that this process has filled.')
    this.#up = metrics.gauge('mainstay_events_store_up', '1 while the log takes events, 0 while it is away.')
    this.#up.set(1)
    const spool = metrics.gauge('mainstay_events_spool_bytes', 'Bytes of events that wait for the log to come back.')
    Object.assign(spool, { collect: () => spool.set(spoolBytes()) })
  }

  stored(events: readonly StreamEvent[], duplicates: number, seconds: number): void {
    this.#up.set(1)
    this.#appendSeconds.observe(seconds)
    if (duplicates > 0) this.#duplicates.inc(duplicates)
    for (const { canonical_service: service, severity } of events) {
      this.#ingested.inc({ service: this.#label(service), severity })
    }
    const last = events.at(-1)
    if (last !== undefined) this.#headSeq.set(last.seq)
  }

  /** The log did not take a batch. */
  away(): void {
    this.#up.set(0)
  }

  refused(count: number): void {
    this.#refused.inc(count)
  }

  #label(service: string): string {
    if (this.#services.has(service)) return service
    if (this.#services.size >= MAX_SERVICES) return 'other'
    this.#services.add(service)
    return service
  }
}
