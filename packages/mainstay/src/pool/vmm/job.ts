import { ShutdownError } from '../../core/errors.ts'

/**
 * Work that goes on beside its starter, until it ends by itself or is stopped.
 *
 * Source: vm-pool.md A8.
 */
export interface Job {
  /** Whether it has not ended yet. */
  readonly alive: boolean
  /** Tells it to stop. */
  stop(): void
  /** Waits for its end. Never throws: its work has reported its own failures. */
  join(): Promise<void>
}

/** Starts work and gives it a signal that {@link Job.stop} aborts. */
export type StartJob = (work: (signal: AbortSignal) => Promise<void>) => Job

/** A job in this process. */
export class TaskJob implements Job {
  readonly #stopping = new AbortController()
  readonly #ended: Promise<void>
  #alive = true

  constructor(work: (signal: AbortSignal) => Promise<void>, onError: (error: unknown) => void) {
    this.#ended = Promise.try(work, this.#stopping.signal)
      .catch(onError)
      .finally(() => (this.#alive = false))
  }

  get alive(): boolean {
    return this.#alive
  }

  stop(): void {
    this.#stopping.abort(new ShutdownError('A job of the pool'))
  }

  async join(): Promise<void> {
    await this.#ended
  }
}
