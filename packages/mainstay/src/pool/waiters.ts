import type { ChangeWatch } from './change-watch.ts'

/**
 * Wakes those who wait for a request, from one watch on the pool's changes for all of them.
 *
 * A wake-up only means "look again". What might be missed during a gap is made good by waking everybody; and whoever waits
 * looks now and then by himself.
 *
 * Source: vm-pool.md C4 (a woken waiter gets its machine within 50 ms).
 */
export class Waiters implements Disposable {
  readonly #waiting = new Map<string, Set<() => void>>()
  readonly #watch: Disposable

  constructor(watch: ChangeWatch) {
    this.#watch = watch.on((news) => {
      if (news.kind === 'gap') this.#wakeAll()
      else if (news.change.requestId !== null) this.#wake(news.change.requestId)
    })
  }

  /** Calls `wake` whenever something happened to the request, until disposed. */
  on(requestId: string, wake: () => void): Disposable {
    const wakes = this.#waiting.get(requestId) ?? new Set()
    this.#waiting.set(requestId, wakes.add(wake))
    return {
      [Symbol.dispose]: () => {
        wakes.delete(wake)
        if (wakes.size === 0 && this.#waiting.get(requestId) === wakes) this.#waiting.delete(requestId)
      },
    }
  }

  [Symbol.dispose](): void {
    this.#watch[Symbol.dispose]()
  }

  #wake(requestId: string): void {
    for (const wake of this.#waiting.get(requestId) ?? []) wake()
  }

  #wakeAll(): void {
    for (const wakes of this.#waiting.values()) for (const wake of wakes) wake()
  }
}
