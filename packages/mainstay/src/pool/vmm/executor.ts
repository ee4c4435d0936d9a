import type { Clock } from '../../core/clock.ts'
import { errorMessage } from '../../core/errors.ts'
import type { Logger } from '../../core/logging.ts'
import { TaskJob, type Job, type StartJob } from './job.ts'

export interface ExecutorDependencies {
  readonly clock: Clock
  readonly logger: Logger
  /** Starts jobs in this process unless given. */
  readonly startJob?: StartJob | undefined
}

/**
 * Starts work that goes on beside the master, and clears away what has ended from time to time.
 *
 * Source: vm-pool.md A8.
 */
export class Executor {
  protected readonly logger: Logger
  readonly #clock: Clock
  readonly #startJob: StartJob
  readonly #recyclePeriodMs: number
  readonly #jobs = new Set<Job>()
  #lastRecycleMs: number

  /** @param recyclePeriod seconds */
  constructor({ clock, logger, startJob }: ExecutorDependencies, { recyclePeriod }: { recyclePeriod: number }) {
    this.logger = logger
    this.#clock = clock
    this.#recyclePeriodMs = recyclePeriod * 1000
    this.#lastRecycleMs = clock.monotonic()
    this.#startJob = startJob ?? ((work) => new TaskJob(work, (error) => this.#report(error)))
  }

  /** Starts a job and remembers it. */
  runDetached(work: (signal: AbortSignal) => Promise<void>): Job {
    const job = this.#startJob(work)
    this.#jobs.add(job)
    return job
  }

  /** Forgets the jobs that have ended, at most once in a period unless forced. */
  async recycle(force = false): Promise<void> {
    const now = this.#clock.monotonic()
    if (!force && now - this.#lastRecycleMs < this.#recyclePeriodMs) return
    this.#lastRecycleMs = now
    for (const job of this.#jobs) {
      if (job.alive) continue
      await job.join()
      this.#jobs.delete(job)
      this.afterProcFinished(job)
    }
  }

  /** Stops all jobs and waits for their ends. */
  async terminate(): Promise<void> {
    const jobs = [...this.#jobs]
    for (const job of jobs) job.stop()
    await Promise.all(jobs.map(async (job) => await job.join()))
    await this.recycle(true)
  }

  /** How many jobs there are. What has ended counts until it is cleared away. */
  async childrenNumber(): Promise<number> {
    await this.recycle()
    return this.#jobs.size
  }

  /** Told of each job that is cleared away. */
  protected afterProcFinished(_job: Job): void {}

  #report(error: unknown): void {
    this.logger.error({ err: error }, `A job of the pool failed: ${errorMessage(error)}`)
  }
}
