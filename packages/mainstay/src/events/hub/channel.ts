import { firstAfter, type Audience } from './audience.ts'
import type { Dialect, EncodedEvent } from './dialect.ts'
import type { Pages } from './pages.ts'

/** What somebody who stands at one place is given next. */
export interface Chunk {
  /** The place where they stand afterwards. */
  readonly to: number
  /** How many events it has; none where the filter lets nothing pass. */
  readonly count: number
  /** Its bytes for those whose next counter is `n`. */
  bytes(n: number): Buffer
}

/** Chunks that are kept for others who stand at the same place. */
const CHUNKS_KEPT = 8

/** Of each of them, the forms that are kept for others with the same counter. */
const VARIANTS_KEPT = 8

/**
 * An audience that hears one dialect: what one of them is sent is made once for all who stand at the same place.
 *
 * Source: event-stream.md R18, R27.
 */
export class Channel {
  readonly audience: Audience
  readonly dialect: Dialect
  /** How many subscribers use it. */
  members = 0
  readonly #pages: Pages
  readonly #chunkBytes: number
  readonly #chunks = new Map<number, Chunk>()
  #generation = 0

  constructor(of: { audience: Audience; dialect: Dialect }, pages: Pages, chunkBytes: number) {
    this.audience = of.audience
    this.dialect = of.dialect
    this.#pages = pages
    this.#chunkBytes = chunkBytes
  }

  /** What follows a place, or undefined when that part of the log is not in memory. */
  after(position: number): Chunk | undefined {
    if (this.#generation !== this.#pages.generation) {
      this.#generation = this.#pages.generation
      this.forget()
    }
    const known = this.#chunks.get(position)
    if (known !== undefined) return known
    const chunk = this.#cut(position)
    if (chunk !== undefined && this.members > 1) this.#keep(position, chunk)
    return chunk
  }

  /** How many events between two places this audience would have received; those not in memory are not counted. */
  count(after: number, upTo: number): number {
    let count = 0
    for (let at = after; at < upTo;) {
      const page = this.#pages.holding(at + 1)
      if (page === undefined) return count
      const selected = this.audience.select(page, at)
      count += firstAfter(selected, upTo) - firstAfter(selected, at)
      at = page.last
    }
    return count
  }

  /** Forgets what was made, so that an idle stream holds no memory. */
  forget(): void {
    this.#chunks.clear()
  }

  #cut(position: number): Chunk | undefined {
    const page = this.#pages.holding(position + 1)
    if (page === undefined) return undefined
    const selected = this.audience.select(page, position)
    const start = firstAfter(selected, position)
    let end = start
    let bytes = 0
    const encoded: EncodedEvent[] = []
    while (end < selected.length && bytes < this.#chunkBytes) {
      const each = selected[end]!.encoded(this.dialect)
      bytes += each.head.length + each.tail.length
      encoded.push(each)
      end += 1
    }
    const to = end === selected.length ? page.last : selected[end - 1]!.event.seq
    const variants = new Map<number, Buffer>()
    const { dialect } = this
    return {
      to,
      count: encoded.length,
      bytes: (n) => {
        const key = dialect.counted ? n : 0
        let joined = variants.get(key)
        if (joined === undefined) {
          joined = dialect.join(encoded, n)
          if (this.members > 1) {
            if (variants.size >= VARIANTS_KEPT) variants.delete(variants.keys().next().value!)
            variants.set(key, joined)
          }
        }
        return joined
      },
    }
  }

  #keep(position: number, chunk: Chunk): void {
    if (this.#chunks.size >= CHUNKS_KEPT) this.#chunks.delete(this.#chunks.keys().next().value!)
    this.#chunks.set(position, chunk)
  }
}
