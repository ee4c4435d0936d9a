import type { Clock } from './clock.ts'
import { ShutdownError, TimeoutError, errorMessage } from './errors.ts'
import type { Logger } from './logging.ts'

/**
 * All background work of a process. Work started here keeps the context of the request that started it (the language
 * carries `AsyncLocalStorage` into it), is known by name, and is waited for at shutdown.
 *
 * Source: ha-api.md 20.4 (context propagation), lint rule M322.
 */
export class TaskGroup {
  readonly #running = new Map<Promise<unknown>, string>()
  readonly #stopping = new AbortController()
  readonly #clock: Clock
  readonly #logger: Logger

  constructor({ clock, logger }: { clock: Clock; logger: Logger }) {
    this.#clock = clock
    this.#logger = logger
  }

  /** Aborted when shutdown begins. */
  get signal(): AbortSignal {
    return this.#stopping.signal
  }

  /**
   * Starts work and returns its result to whoever awaits it. A failure that nobody awaits is logged with the name.
   *
   * @throws ShutdownError when shutdown has begun
   */
  spawn<T>(name: string, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    if (this.#stopping.signal.aborted) throw new ShutdownError(name)
    const task = Promise.try(work, this.#stopping.signal)
    this.#running.set(task, name)
    task.then(
      () => this.#running.delete(task),
      (error: unknown) => {
        this.#running.delete(task)
        if (!this.#isStop(error)) this.#logger.error({ task: name, err: error }, errorMessage(error))
      },
    )
    return task
  }

  /** Names of what is running. */
  names(): string[] {
    return [...this.#running.values()].sort()
  }

  /**
   * Tells all work to stop and waits for it.
   *
   * @throws TimeoutError naming what is still running after `timeoutMs`
   */
  async stop({ timeoutMs }: { timeoutMs: number }): Promise<void> {
    this.#stopping.abort(new ShutdownError())
    const settled = Promise.allSettled(this.#running.keys())
    const late = Promise.withResolvers<never>()
    using _timer = this.#clock.after(timeoutMs, () =>
      late.reject(new TimeoutError(`Stopping ${this.names().join(', ')}`, timeoutMs)),
    )
    await Promise.race([settled, late.promise])
  }

  /** Whether work ended because it was told to. Any other failure is reported, also during shutdown. */
  #isStop(error: unknown): boolean {
    if (!this.#stopping.signal.aborted) return false
    return error instanceof ShutdownError || (error instanceof Error && error.name === 'AbortError')
  }
}

/** For whoever spawns work without waiting for it: the group has logged the failure with the work's name. */
export function ignoreLogged(): void {}
