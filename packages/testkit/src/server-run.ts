import { pauseMs } from './clock.ts'
import { TestkitError } from './errors.ts'
import type { InlineProcess } from './process/inline-process.ts'
import type { ServerProcess } from './process/server-process.ts'
import type { ExitInfo, ListenSpec } from './spec.ts'
import { StartAttempts } from './start-attempts.ts'
import type { StartOptions } from './start-options.ts'

/**
 * One call of `start` and what came of it: its tries, its process, and its cancellation. The next start is another run.
 *
 *   under way ──▶ launched (ready, or ended as it should) ──▶ its process ends
 *       └──failed, or cancelled by a stop──▶ nothing of it is left
 *
 * Invariants: a start that is under way touches only what its own run has; a run starts nothing once it is cancelled; and
 * a server's next run begins when the one before it is settled and what that left behind is gone.
 */
export class ServerRun<C extends object> {
  readonly over: Partial<C>
  readonly options: StartOptions
  readonly attempts: StartAttempts
  /** Of the present or last try: one of the two. */
  process: ServerProcess | undefined
  inline: InlineProcess | undefined
  /** How the process of the present or last try ends. */
  exit: Promise<ExitInfo> | undefined
  lastExit: ExitInfo | undefined
  hasLaunched = false
  /** Stops and kills that are under way. */
  endings = 0
  readonly #server: string
  readonly #cancelled = new AbortController()
  #settled: Promise<unknown> = Promise.resolve()
  #isSettled = false

  constructor(server: string, listen: readonly ListenSpec[], over: Partial<C>, options: StartOptions) {
    this.#server = server
    this.over = over
    this.options = options
    this.attempts = new StartAttempts(server, listen, options)
  }

  get running(): ServerProcess | InlineProcess | undefined {
    return this.process ?? this.inline
  }

  /** The start has returned: it does nothing any more. */
  get isSettled(): boolean {
    return this.#isSettled
  }

  get isCancelled(): boolean {
    return this.#cancelled.signal.aborted
  }

  /** From now on the start, if it is under way, neither spawns nor tries again. */
  cancel(): void {
    this.#cancelled.abort()
  }

  /** Takes note of the start that this run is. */
  async follow<T>(starting: Promise<T>): Promise<T> {
    this.#settled = starting.then(
      () => undefined,
      () => undefined,
    )
    return await starting
  }

  settle(): void {
    this.#isSettled = true
  }

  /** Resolves when the start has returned, however. */
  async settled(): Promise<void> {
    await this.#settled
  }

  /** Throws TK_STATE when the run was cancelled. */
  assertWanted(): void {
    if (this.isCancelled) throw new TestkitError('TK_STATE', `the start of server "${this.#server}" was cancelled`)
  }

  /**
   * Work of others, which may never end: waited for until it is done, the time is up, or the run is cancelled. What is
   * given up goes on by itself; nothing of it reaches this run any more.
   *
   * @throws TestkitError TK_NOT_READY, TK_STATE
   */
  async within<T>(ms: number, what: string, work: () => Promise<T>): Promise<T> {
    this.assertWanted()
    const done = new AbortController()
    const late = async (): Promise<never> => {
      await pauseMs(ms, AbortSignal.any([done.signal, this.#cancelled.signal]))
      this.assertWanted()
      throw new TestkitError(
        'TK_NOT_READY',
        `server "${this.#server}": ${what} was not done within ${ms} ms. See what it waits for, or give it longer: ` +
          `prepareTimeoutMs of the server, timeoutMs of the call`,
      )
    }
    try {
      return await Promise.race([work(), late()])
    } finally {
      done.abort()
    }
  }
}
