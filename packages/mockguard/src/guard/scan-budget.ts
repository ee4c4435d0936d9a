import { nowMs } from '../core/natives.ts'
/**
 * How many walks of all modules may happen between the tests of a file. A number of visited objects is always allowed,
 * so that small projects get the same answer on every machine; beyond it walks take at most a small share of the time
 * that passed. What is put off is found at the end of the file, with the same blame: only the place of the failure
 * differs.
 */
export class ScanBudget {
  readonly #startedMs = nowMs()
  readonly #freeObjects: number
  readonly #share: number
  #objects = 0
  #spentMs = 0

  constructor(options: { freeObjects?: number; share?: number } = {}) {
    this.#freeObjects = options.freeObjects ?? 300_000
    this.#share = options.share ?? 0.03
  }

  get spentMs(): number {
    return this.#spentMs
  }

  allows(scan: 'tracked' | 'file' | 'test'): boolean {
    if (scan === 'test' || this.#objects < this.#freeObjects) return true
    return this.#spentMs < (nowMs() - this.#startedMs) * this.#share
  }

  measure<T extends { readonly visited: number }>(walk: () => T): T {
    const started = nowMs()
    const result = walk()
    this.#spentMs += nowMs() - started
    this.#objects += result.visited
    return result
  }
}
