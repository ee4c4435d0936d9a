import type { Clock } from '../core/clock.ts'
import { errorMessage } from '../core/errors.ts'
import type { Logger } from '../core/logging.ts'
import { ignoreLogged, type TaskGroup } from '../core/task-group.ts'
import type { PoolNews } from './change.ts'
import type { PoolStore } from './store.ts'

/** How long after a lost watch the next one is begun, in milliseconds. */
const AGAIN_MS = 1000

/** One watch on the pool's changes, for everybody in this process. After a loss everybody hears of a gap. */
export class ChangeWatch {
  readonly #store: PoolStore
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #listeners = new Set<(news: PoolNews) => void>()

  constructor(deps: { readonly store: PoolStore; readonly clock: Clock; readonly logger: Logger }) {
    this.#store = deps.store
    this.#clock = deps.clock
    this.#logger = deps.logger
  }

  /** Begins to watch; ends with the group. */
  start(tasks: TaskGroup): void {
    tasks.spawn('watch the changes of the pool', async (signal) => await this.#watch(signal)).catch(ignoreLogged)
  }

  /** Calls `listener` with everything that happens from now on, until disposed. */
  on(listener: (news: PoolNews) => void): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) }
  }

  async #watch(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        for await (const news of this.#store.changes({ signal })) this.#tell(news)
      } catch (error) {
        this.#logger.warn(`The changes of the pool cannot be watched: ${errorMessage(error)}`)
      }
      if (signal.aborted) return
      await this.#clock.sleep(AGAIN_MS, { signal })
      this.#tell({ kind: 'gap' })
    }
  }

  #tell(news: PoolNews): void {
    for (const listener of this.#listeners) listener(news)
  }
}
