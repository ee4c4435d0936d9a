import pLimit from 'p-limit'

import type { Clock } from '../../core/clock.ts'
import { ShutdownError, errorMessage } from '../../core/errors.ts'
import type { Logger } from '../../core/logging.ts'

export interface JobsOptions {
  /** What is done, for log lines. */
  readonly what: string
  /** How many run at one time; the others wait their turn. */
  readonly atOnce: number
  /** How many may run and wait together. */
  readonly most: number
  readonly clock: Clock
  readonly logger: Logger
}

interface Job {
  readonly group: string
  readonly controller: AbortController
  readonly done: Promise<void>
  /** Whether it had its turn. */
  readonly begun: () => boolean
}

/**
 * Work on machines that goes on beside the cycle, one job for a machine at a time.
 *
 * Source: vm-pool.md A8 (Executor), C7, C9 (graceful stop).
 */
export class Jobs {
  readonly #options: JobsOptions
  readonly #limit: ReturnType<typeof pLimit>
  readonly #running = new Map<string, Job>()
  #stopping = false

  constructor(options: JobsOptions) {
    this.#options = options
    this.#limit = pLimit(options.atOnce)
  }

  /** How many more jobs are taken. */
  get room(): number {
    return this.#stopping ? 0 : Math.max(0, this.#options.most - this.#running.size)
  }

  has(name: string): boolean {
    return this.#running.has(name)
  }

  names(): ReadonlySet<string> {
    return new Set(this.#running.keys())
  }

  /** How many jobs each group has. */
  byGroup(): Record<string, number> {
    const counts: Record<string, number> = {}
    for (const { group } of this.#running.values()) counts[group] = (counts[group] ?? 0) + 1
    return counts
  }

  /**
   * Starts a job, or queues it. The work reports its own failures; what it throws is logged.
   *
   * @returns false when the machine has a job already, or none is taken any more
   */
  run(name: string, group: string, work: (signal: AbortSignal) => Promise<void>): boolean {
    if (this.#running.has(name) || this.room === 0) return false
    const controller = new AbortController()
    const { signal } = controller
    let begun = false
    const done = this.#limit(async () => {
      begun = true
      if (!signal.aborted) await work(signal)
    })
      .catch((error: unknown) => this.#report(name, signal, error))
      .finally(() => this.#forget(name, job))
    const job: Job = { group, controller, done, begun: () => begun }
    this.#running.set(name, job)
    return true
  }

  /** Tells a job to stop. */
  cancel(name: string, reason: Error): void {
    this.#running.get(name)?.controller.abort(reason)
  }

  /** Tells all jobs to stop; others may be run afterwards. */
  cancelAll(reason: unknown): void {
    for (const { controller } of this.#running.values()) controller.abort(reason)
  }

  /** Tells a job to stop and waits until it has. One that waits for its turn never begins, and is not waited for. */
  async end(name: string, reason: Error): Promise<void> {
    const job = this.#running.get(name)
    if (job === undefined) return
    job.controller.abort(reason)
    if (job.begun()) await job.done
    else this.#forget(name, job)
  }

  /** Waits until nothing runs any more. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all([...this.#running.values()].map(async ({ done }) => await done))
  }

  /** Takes nothing new, lets what runs end, and tells what is left after `timeoutMs` to stop. */
  async stop({ timeoutMs }: { readonly timeoutMs: number }): Promise<void> {
    this.#stopping = true
    using _timer = this.#options.clock.after(timeoutMs, () => {
      for (const { controller } of this.#running.values()) controller.abort(new ShutdownError(this.#options.what))
    })
    await this.idle()
  }

  #forget(name: string, job: Job): void {
    if (this.#running.get(name) === job) this.#running.delete(name)
  }

  #report(name: string, signal: AbortSignal, error: unknown): void {
    if (signal.aborted) return
    this.#options.logger.error({ vm: name, err: error }, `${this.#options.what} ${name} failed: ${errorMessage(error)}`)
  }
}
