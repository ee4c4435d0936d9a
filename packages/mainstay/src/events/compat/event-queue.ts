import type { Clock } from '../../core/clock.ts'
import { MainstayError } from '../../core/errors.ts'

/** More waits than may. */
export class QueueFullError extends MainstayError {
  readonly code = 'MS_EVENT_QUEUE_FULL'
  readonly status = 503
  readonly retryable = true

  constructor(limit: number) {
    super(`${limit} events wait already, and no more are kept. Whoever takes them is away or too slow.`)
  }
}

/** First in, first out, for one process. */
export class EventQueue<T> {
  readonly #limit: number
  readonly #items: T[] = []
  readonly #takers = new Set<(item: T) => void>()
  #unfinished = 0

  constructor({ limit = Infinity }: { limit?: number } = {}) {
    this.#limit = limit
  }

  get size(): number {
    return this.#items.length
  }

  /** Items that were put and for which nobody has called {@link EventQueue.done} yet. */
  get unfinished(): number {
    return this.#unfinished
  }

  /** The item that is taken next. */
  get first(): T | undefined {
    return this.#items[0]
  }

  /** @throws QueueFullError */
  put(item: T): void {
    const [taker] = this.#takers
    if (taker === undefined && this.#items.length >= this.#limit) throw new QueueFullError(this.#limit)
    this.#unfinished += 1
    if (taker === undefined) this.#items.push(item)
    else taker(item)
  }

  /** Removes the first item without waiting. */
  shift(): T | undefined {
    return this.#items.shift()
  }

  /**
   * Waits for the next item.
   *
   * @param options.timeoutMs the longest wait; without it there is no limit but the signal
   * @returns undefined when the time is over
   * @throws the signal's reason
   */
  async take(options: { signal: AbortSignal; timeout?: { clock: Clock; ms: number } }): Promise<T | undefined> {
    const { signal, timeout } = options
    signal.throwIfAborted()
    if (this.#items.length > 0) return this.#items.shift()
    const taken = Promise.withResolvers<T | undefined>()
    const taker = (item: T): void => {
      this.#takers.delete(taker)
      taken.resolve(item)
    }
    const onAbort = (): void => taken.reject(signal.reason)
    this.#takers.add(taker)
    signal.addEventListener('abort', onAbort, { once: true })
    using _timer = timeout?.clock.after(timeout.ms, () => taken.resolve(undefined))
    try {
      return await taken.promise
    } finally {
      this.#takers.delete(taker)
      signal.removeEventListener('abort', onAbort)
    }
  }

  /** Says that an item that was taken has been dealt with. */
  done(): void {
    this.#unfinished -= 1
  }

  /** Forgets what waits. @returns how many */
  clear(): number {
    const dropped = this.#items.splice(0).length
    this.#unfinished -= dropped
    return dropped
  }
}
