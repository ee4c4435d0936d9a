import type { Clock } from '../../core/clock.ts'
import { errorCode, errorMessage } from '../../core/errors.ts'
import type { Logger } from '../../core/logging.ts'
import type { ReportSink } from '../report.ts'
import type { DomainMemory } from './domain-memory.ts'
import type { KnownDomain } from './known-domain.ts'

const RETRY_MS = 1_000
const LOG_PAUSE_MS = 60_000

interface MemoryKeeperDeps {
  readonly memory: DomainMemory
  readonly sink: ReportSink
  readonly clock: Clock
  readonly logger: Logger
  /** What is known at this moment. */
  readonly latest: () => ReadonlyMap<string, KnownDomain>
}

/**
 * Writes down what is known of the domains, but never before what follows from it is safe.
 *
 * Invariant: a change of state reaches the disk only after every report that was made until then is on disk too. So a
 * crash at any moment leaves either the report, or the old state from which the next start finds the same report.
 *
 * Only the latest state counts: changes that come while one is being written share the next write.
 */
export class MemoryKeeper {
  readonly #deps: MemoryKeeperDeps
  #reports: Promise<unknown> = Promise.resolve()
  #changed = false
  #saving: Promise<void> | undefined
  #retry: Disposable | undefined
  #complainedAt = Number.NEGATIVE_INFINITY

  constructor(deps: MemoryKeeperDeps) {
    this.#deps = deps
  }

  /** Nothing is written before this report is settled: accepted, or refused and the old state restored. */
  after(report: Promise<void>): void {
    this.#reports = Promise.allSettled([this.#reports, report])
  }

  changed(): void {
    this.#changed = true
    this.#saving ??= this.#save()
  }

  /** Waits for what is under way and tries once to write what is left. */
  async close(): Promise<void> {
    await this.#saving
    this.#retry?.[Symbol.dispose]()
    if (this.#changed) await this.#save()
    this.#retry?.[Symbol.dispose]()
  }

  async #save(): Promise<void> {
    while (this.#changed) {
      await this.#reportsSettled()
      this.#changed = false
      if (await this.#write(this.#deps.latest())) continue
      this.#changed = true
      this.#retry?.[Symbol.dispose]()
      this.#retry = this.#deps.clock.after(RETRY_MS, () => this.changed())
      break
    }
    this.#saving = undefined
  }

  async #reportsSettled(): Promise<void> {
    let settled: unknown
    while (settled !== this.#reports) {
      settled = this.#reports
      await settled
    }
  }

  async #write(domains: ReadonlyMap<string, KnownDomain>): Promise<boolean> {
    const { memory, sink, clock, logger } = this.#deps
    if (!sink.durable) return false
    try {
      await memory.save(new Map(domains))
      return true
    } catch (error) {
      if (errorCode(error) === undefined) throw error
      if (clock.monotonic() - this.#complainedAt >= LOG_PAUSE_MS) {
        this.#complainedAt = clock.monotonic()
        logger.error({ err: error }, `What is known of the guests cannot be written down: ${errorMessage(error)}`)
      }
      return false
    }
  }
}
