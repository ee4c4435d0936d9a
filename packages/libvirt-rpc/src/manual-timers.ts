import type { Timers } from './timers.ts'

/** A clock that a test moves by hand. Timers run in the order of their times, each seeing its own time as `now()`. */
export class ManualTimers implements Timers {
  #now = 0
  readonly #waiting = new Set<{ readonly at: number; readonly run: () => void }>()

  /** Timers that have neither run nor been cancelled. */
  get waiting(): number {
    return this.#waiting.size
  }

  now(): number {
    return this.#now
  }

  after(delayMs: number, run: () => void): () => void {
    const timer = { at: this.#now + delayMs, run }
    this.#waiting.add(timer)
    return () => this.#waiting.delete(timer)
  }

  advance(ms: number): void {
    const end = this.#now + ms
    for (;;) {
      const [next] = [...this.#waiting].filter(({ at }) => at <= end).toSorted((a, b) => a.at - b.at)
      if (next === undefined) break
      this.#waiting.delete(next)
      this.#now = next.at
      next.run()
    }
    this.#now = end
  }
}
