import type { DisconnectReason } from './disconnect-reason.ts'
import { LibvirtDisconnectedError, LibvirtEventOverflowError } from './errors.ts'

/**
 * Events waiting for a reader.
 *
 *   open ──end() | return()──▶ ended          the reader gets what waits, then the end
 *     └──── fail() | overflow ─▶ failed       the reader gets what waits, then the error, then the end
 *
 * Invariant: at most `bufferLimit` events wait. Events are never dropped silently.
 */
export class EventStream<Event> implements AsyncIterableIterator<Event> {
  readonly #bufferLimit: number
  readonly #release: () => Promise<void>
  #released: Promise<void> | undefined
  #waiting: Event[] = []
  #readers: PromiseWithResolvers<IteratorResult<Event, undefined>>[] = []
  #open = true
  #failure: Error | undefined

  /** `release` is called once, when the stream is over. It must not reject. */
  constructor(bufferLimit: number, release: () => Promise<void>) {
    this.#bufferLimit = bufferLimit
    this.#release = release
  }

  push(event: Event): void {
    if (!this.#open) return
    const reader = this.#readers.shift()
    if (reader !== undefined) reader.resolve({ done: false, value: event })
    else if (this.#waiting.length < this.#bufferLimit) this.#waiting.push(event)
    else this.fail(new LibvirtEventOverflowError(this.#bufferLimit))
  }

  fail(error: Error): void {
    if (!this.#open) return
    this.#failure = error
    this.end()
  }

  /** Loss of the connection is a failure, our own good-bye is not. */
  disconnected(reason: DisconnectReason): void {
    if (reason.kind === 'closed') this.end()
    else this.fail(new LibvirtDisconnectedError('the next event', reason, true))
  }

  end(): void {
    this.#open = false
    this.#released ??= this.#release()
    for (const reader of this.#readers.splice(0)) this.#settle(reader)
  }

  next(): Promise<IteratorResult<Event, undefined>> {
    const reader = Promise.withResolvers<IteratorResult<Event, undefined>>()
    const event = this.#waiting.shift()
    if (event !== undefined) reader.resolve({ done: false, value: event })
    else if (this.#open) this.#readers.push(reader)
    else this.#settle(reader)
    return reader.promise
  }

  async return(): Promise<IteratorResult<Event, undefined>> {
    this.#waiting = []
    this.#failure = undefined
    this.end()
    await this.#released
    return { done: true, value: undefined }
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return()
  }

  #settle(reader: PromiseWithResolvers<IteratorResult<Event, undefined>>): void {
    const failure = this.#failure
    this.#failure = undefined
    if (failure === undefined) reader.resolve({ done: true, value: undefined })
    else reader.reject(failure)
  }
}
