import { nextTurn } from '../core/turn.ts'

interface Waiting<T> {
  readonly item: T
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/**
 * Hands over what arrives at the same moment in one go, in order, one batch at a time. While a batch is on its way the
 * next one gathers, so the busier the callers, the larger the batches.
 */
export class Batcher<T> {
  readonly #handOver: (batch: readonly T[]) => Promise<readonly (Error | undefined)[]>
  readonly #maxBatch: number
  #waiting: Waiting<T>[] = []
  #running: Promise<void> | undefined

  /**
   * @param handOver returns, for each item, the error that it alone met; throws when the whole batch was lost
   * @param maxBatch the most items of one batch
   */
  constructor(handOver: (batch: readonly T[]) => Promise<readonly (Error | undefined)[]>, maxBatch = 512) {
    this.#handOver = handOver
    this.#maxBatch = maxBatch
  }

  async add(item: T): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#waiting.push({ item, resolve, reject })
    if (this.#running === undefined) this.#running = this.#run()
    await promise
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      await this.#gather()
      const batch = this.#waiting.slice(0, this.#maxBatch)
      this.#waiting = this.#waiting.slice(this.#maxBatch)
      await this.#runBatch(batch)
    }
    this.#running = undefined
  }

  /** Waits while every turn of the event loop brings more: the flush that follows is dearer than a turn. */
  async #gather(): Promise<void> {
    let before: number
    do {
      before = this.#waiting.length
      await nextTurn()
    } while (this.#waiting.length > before && this.#waiting.length < this.#maxBatch)
  }

  async #runBatch(batch: readonly Waiting<T>[]): Promise<void> {
    try {
      const errors = await this.#handOver(batch.map(({ item }) => item))
      batch.forEach(({ resolve, reject }, index) => {
        const error = errors[index]
        if (error === undefined) resolve()
        else reject(error)
      })
    } catch (error) {
      for (const { reject } of batch) reject(error)
    }
  }
}
