import pLimit from 'p-limit'

import type { Clock } from '../core/clock.ts'
import { errorMessage } from '../core/errors.ts'
import type { MainstayEvent, Publish } from '../core/event.ts'
import type { Logger } from '../core/logging.ts'
import type { TaskGroup } from '../core/task-group.ts'
import { clearOutbox, readOutbox, writeToOutbox, type Store } from '../store/index.ts'

export interface OutboxRelayOptions {
  readonly store: Store
  readonly clock: Clock
  readonly tasks: TaskGroup
  readonly logger: Logger
  /** Resolves once the events are durable where they go. Null where another process carries them. */
  readonly deliver: ((events: readonly MainstayEvent[], signal: AbortSignal) => Promise<void>) | null
  /** How often the outbox is looked at without being told: other processes write to it as well. */
  readonly pollMs: number
  /** The pause after a delivery that failed; default 1000. */
  readonly retryMs?: number
}

/** Events that are carried in one go. */
const BATCH = 500

/**
 * Carries events from the outbox to the log, in the order in which they were written there.
 *
 *   waiting ──poked, or the poll is due──▶ carrying ──nothing is left──▶ waiting
 *                                             └──failed──▶ pausing ──▶ carrying
 *
 * It may repeat itself: an event is forgotten only after it was delivered, so whoever takes it drops repeats by id. A
 * process that was killed leaves its events to the next one, and to those beside it.
 */
export class OutboxRelay implements Publish {
  readonly #options: OutboxRelayOptions
  #poked = Promise.withResolvers<void>()
  #failing = false
  /** What is put in here at the same moment keeps its order. */
  readonly #oneAtATime = pLimit(1)

  constructor(options: OutboxRelayOptions) {
    this.#options = options
  }

  /** Begins to carry, first of all what an earlier run has left. */
  start(): void {
    const { deliver, tasks } = this.#options
    if (deliver === null) return
    void tasks.spawn('carry events', async (signal) => await this.#run(deliver, signal))
  }

  /** Something was committed. */
  poke(): void {
    this.#poked.resolve()
  }

  /** Puts an event that accompanies no change of the database into the outbox, so that it takes its turn. */
  publish(event: MainstayEvent): void {
    const { store, tasks, logger } = this.#options
    if (tasks.signal.aborted) return
    tasks
      .spawn('keep an event', async () => {
        await this.#oneAtATime(async () => await store.write((queries) => writeToOutbox(queries, event)))
      })
      .then(() => this.poke())
      .catch((error: unknown) => logger.error({ event: event.type }, `An event was lost: ${errorMessage(error)}`))
  }

  async #run(deliver: NonNullable<OutboxRelayOptions['deliver']>, signal: AbortSignal): Promise<void> {
    const { clock, logger, pollMs, retryMs = 1000 } = this.#options
    while (!signal.aborted) {
      // Before looking: what is committed while it looks asks for another look.
      this.#poked = Promise.withResolvers()
      try {
        const carried = await this.#carry(deliver, signal)
        this.#failing = false
        if (carried === BATCH) continue
      } catch (error) {
        signal.throwIfAborted()
        const level = this.#failing ? 'debug' : 'warn'
        logger[level]({ err: error }, `Events wait in the outbox: ${errorMessage(error)}`)
        this.#failing = true
        await clock.sleep(retryMs, { signal })
        continue
      }
      await this.#pokedOr(pollMs, signal)
    }
  }

  /** @returns how many events were carried */
  async #carry(deliver: NonNullable<OutboxRelayOptions['deliver']>, signal: AbortSignal): Promise<number> {
    const { store } = this.#options
    const waiting = await readOutbox(store.read, BATCH)
    if (waiting.length === 0) return 0
    await deliver(
      waiting.map(({ event }) => event),
      signal,
    )
    await clearOutbox(
      store,
      waiting.map(({ seq }) => seq),
    )
    return waiting.length
  }

  async #pokedOr(pollMs: number, signal: AbortSignal): Promise<void> {
    const poked = this.#poked
    const wake = (): void => poked.resolve()
    signal.addEventListener('abort', wake, { once: true })
    using _timer = this.#options.clock.after(pollMs, wake)
    await poked.promise
    signal.removeEventListener('abort', wake)
  }
}
