import type { Clock } from '../../core/clock.ts'
import { errorMessage, isRetryable } from '../../core/errors.ts'
import type { Logger } from '../../core/logging.ts'
import type { Ingest } from '../ingest.ts'
import type { NewStreamEvent } from '../stream-event.ts'

export interface StoreInOrderDeps {
  readonly clock: Clock
  readonly logger: Logger
  readonly ingest: Pick<Ingest, 'accept'>
  /** How long it waits before it tries again, by attempt from 1. */
  readonly retryDelayMs: (attempt: number) => number
  readonly signal: AbortSignal
}

interface Waiting {
  readonly event: NewStreamEvent
  /** Why it can never be stored, or undefined once it is. */
  readonly done: PromiseWithResolvers<unknown>
}

/** Events that are handed over together. */
const BATCH = 256

/** How often one event may be refused for good: what was wrong may have been another that was stored with it. */
const REFUSALS = 3

/**
 * Hands events to the stream in the order in which they came, also when it takes none for a while. What is refused for
 * good is tried alone before it is given up, so that one bad event costs no other.
 *
 * Source: event-stream.md R7.
 */
export class StoreInOrder {
  readonly #deps: StoreInOrderDeps
  #waiting: Waiting[] = []
  #working = false

  constructor(deps: StoreInOrderDeps) {
    this.#deps = deps
  }

  /**
   * Resolves once an event is safe, or can never be.
   *
   * @returns why it can never be stored, undefined once it is
   * @throws the signal's reason
   */
  async store(event: NewStreamEvent): Promise<unknown> {
    this.#deps.signal.throwIfAborted()
    const done = Promise.withResolvers<unknown>()
    this.#waiting.push({ event, done })
    void this.#work()
    return await done.promise
  }

  async #work(): Promise<void> {
    if (this.#working) return
    this.#working = true
    const { signal } = this.#deps
    while (this.#waiting.length > 0) {
      const group = this.#waiting.splice(0, BATCH)
      try {
        await this.#storeGroup(group)
      } catch (error) {
        const reason: unknown = signal.aborted ? signal.reason : error
        for (const { done } of [...group, ...this.#waiting.splice(0)]) done.reject(reason)
      }
    }
    this.#working = false
  }

  async #storeGroup(group: readonly Waiting[]): Promise<void> {
    const { ingest, clock, logger, retryDelayMs, signal } = this.#deps
    const events = group.map(({ event }) => event)
    for (let attempt = 1; ; attempt += 1) {
      signal.throwIfAborted()
      try {
        await ingest.accept(events, { signal })
        for (const { done } of group) done.resolve(undefined)
        return
      } catch (error) {
        signal.throwIfAborted()
        if (!isRetryable(error)) {
          if (group.length > 1) return await this.#oneByOne(group)
          if (attempt >= REFUSALS) return group[0]!.done.resolve(error)
        } else if (attempt === 1) {
          logger.warn({ err: error }, `Events cannot be stored, so the broker keeps them: ${errorMessage(error)}`)
        }
      }
      await clock.sleep(retryDelayMs(attempt), { signal })
    }
  }

  async #oneByOne(group: readonly Waiting[]): Promise<void> {
    for (const waiting of group) await this.#storeGroup([waiting])
  }
}
