import type { MainstayEvent, Publish } from '../core/event.ts'
import { errorMessage } from '../core/errors.ts'
import type { Logger } from '../core/logging.ts'
import type { TaskGroup } from '../core/task-group.ts'
import { clearOutbox, readOutbox, type Store } from '../store/index.ts'

/** Events that are carried in one go. */
const BATCH = 500

/**
 * Carries events from the outbox to whoever listens. It may repeat itself: an event is forgotten only after it was
 * handed over, so a listener drops repeats by id.
 */
export class OutboxRelay {
  readonly #store: Store
  readonly #publish: Publish
  readonly #tasks: TaskGroup
  readonly #logger: Logger
  #running = false
  #again = false

  constructor(deps: { store: Store; publish: Publish; tasks: TaskGroup; logger: Logger }) {
    this.#store = deps.store
    this.#publish = deps.publish
    this.#tasks = deps.tasks
    this.#logger = deps.logger
  }

  /** Carries what waits: something was committed. */
  poke(): void {
    if (this.#running) {
      this.#again = true
      return
    }
    if (this.#tasks.signal.aborted) return
    this.#running = true
    this.#tasks
      .spawn('carry events', async () => await this.#carryAll())
      .catch((error: unknown) => this.#logger.warn(`Events wait in the outbox: ${errorMessage(error)}`))
      .finally(() => {
        this.#running = false
        if (this.#again) this.poke()
      })
  }

  async #carryAll(): Promise<void> {
    let carried: { seq: number; event: MainstayEvent }[]
    do {
      this.#again = false
      carried = await readOutbox(this.#store.read, BATCH)
      for (const { event } of carried) this.#publish.publish(event)
      await clearOutbox(
        this.#store,
        carried.map(({ seq }) => seq),
      )
    } while (carried.length === BATCH || this.#again)
  }
}
