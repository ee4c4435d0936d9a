import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client'

/** Buckets for things that take between half a millisecond and five minutes, in seconds. */
const SECONDS_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300]

/** The metrics of one process, in a registry of their own so that two processes in one test do not meet. */
export class Metrics {
  readonly registry = new Registry()

  /** Adds the figures of the Node process itself. */
  collectProcess(): void {
    collectDefaultMetrics({ register: this.registry })
  }

  counter<Label extends string>(name: string, help: string, labelNames: readonly Label[] = []): Counter<Label> {
    return new Counter({ name, help, labelNames: [...labelNames], registers: [this.registry] })
  }

  gauge<Label extends string>(name: string, help: string, labelNames: readonly Label[] = []): Gauge<Label> {
    return new Gauge({ name, help, labelNames: [...labelNames], registers: [this.registry] })
  }

  /** A histogram of seconds. */
  seconds<Label extends string>(name: string, help: string, labelNames: readonly Label[] = []): Histogram<Label> {
    return new Histogram({
      name,
      help,
      labelNames: [...labelNames],
      buckets: SECONDS_BUCKETS,
      registers: [this.registry],
    })
  }

  /** The Prometheus text format. */
  async text(): Promise<string> {
    return await this.registry.metrics()
  }
}
