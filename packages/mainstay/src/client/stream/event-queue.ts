import { InvalidInputError } from '../../core/errors.ts'

/**
 * What has arrived and waits to be read, by one reader.
 *
 * It does not refuse what does not fit: whoever fills it looks at `size` and stops the source.
 */
export class EventQueue<T> {
  #items: T[] = []
  #taken = 0
  #end: { readonly failure: { readonly error: unknown } | undefined } | undefined
  #reader: PromiseWithResolvers<T | undefined> | undefined
  readonly #onTaken: () => void

  /** @param onTaken told after every item that was read */
  constructor(onTaken: () => void) {
    this.#onTaken = onTaken
  }

  get size(): number {
    return this.#items.length - this.#taken
  }

  push(item: T): void {
    if (this.#end !== undefined) return
    if (this.#reader === undefined) {
      this.#items.push(item)
      return
    }
    this.#reader.resolve(item)
    this.#reader = undefined
  }

  /** Nothing more comes; what waits can still be read. */
  end(failure?: { readonly error: unknown }): void {
    this.#end ??= { failure }
    if (failure === undefined) this.#reader?.resolve(undefined)
    else this.#reader?.reject(failure.error)
    this.#reader = undefined
  }

  /**
   * The next item; waits for it.
   *
   * @returns undefined when there is none and nothing more comes
   * @throws what it was ended with; InvalidInputError when somebody else waits already
   */
  async next(): Promise<T | undefined> {
    const item = this.#take()
    if (item !== undefined) {
      this.#onTaken()
      return item
    }
    if (this.#end?.failure !== undefined) throw this.#end.failure.error
    if (this.#end !== undefined) return undefined
    if (this.#reader !== undefined) throw new InvalidInputError('An event stream has one reader; open one for each.')
    this.#reader = Promise.withResolvers()
    return await this.#reader.promise
  }

  #take(): T | undefined {
    if (this.size === 0) return undefined
    const item = this.#items[this.#taken]
    this.#taken += 1
    // Taking from the front moves everything, so it is done for many at once.
    if (this.#taken === this.#items.length || this.#taken >= 1024) {
      this.#items = this.#items.slice(this.#taken)
      this.#taken = 0
    }
    return item
  }
}
