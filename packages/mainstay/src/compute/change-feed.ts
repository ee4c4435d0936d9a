import { errorMessage } from '../core/errors.ts'
import type { Logger } from '../core/logging.ts'
import type { ComputeChange } from './compute.ts'

type Listener = (change: ComputeChange) => void

/** Who wants to hear of changes: of all, or of one guest. A listener that throws does not keep others from hearing. */
export class ChangeFeed {
  readonly #all = new Set<Listener>()
  readonly #byInstance = new Map<string, Set<Listener>>()
  readonly #logger: Logger

  constructor(logger: Logger) {
    this.#logger = logger
  }

  tell(change: ComputeChange): void {
    const interested = change.instance === null ? undefined : this.#byInstance.get(change.instance)
    for (const listener of [...(interested ?? []), ...this.#all]) {
      try {
        listener(change)
      } catch (error) {
        this.#logger.error({ err: error, ...change }, `A listener for changes of guests failed: ${errorMessage(error)}`)
      }
    }
  }

  watch(listener: Listener): Disposable {
    // A wrapper of its own, so that the same function may listen twice and be disposed once.
    const own: Listener = (change) => listener(change)
    this.#all.add(own)
    return { [Symbol.dispose]: () => void this.#all.delete(own) }
  }

  watchInstance(instance: string, listener: Listener): Disposable {
    const own: Listener = (change) => listener(change)
    const listeners = this.#byInstance.get(instance) ?? new Set()
    listeners.add(own)
    this.#byInstance.set(instance, listeners)
    return {
      [Symbol.dispose]: () => {
        listeners.delete(own)
        if (listeners.size === 0 && this.#byInstance.get(instance) === listeners) this.#byInstance.delete(instance)
      },
    }
  }

  clear(): void {
    this.#all.clear()
    this.#byInstance.clear()
  }
}
