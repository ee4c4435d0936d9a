import { integerBetween, type Random } from '../../core/random.ts'

/** Entries of one generation; a generation that is full is followed by another. */
const GENERATION = 131_072
const SMALLEST = 1024

/**
 * Where an id may stand in the log: places by a 64-bit hash of the id, in about 24 bytes for each.
 *
 * An index in the database would cost more than everything else together, because ids are random and every batch
 * would touch as many pages as it has events. Here entries are only added, and forgotten a generation at a time.
 * An entry is a hint: whoever asks looks whether the place really has the id, so a hash that two ids share, and an
 * entry whose transaction was rolled back, do no harm.
 */
export class IdIndex {
  readonly #seeds: readonly [number, number]
  #generations: Generation[] = []

  /** @param random seeds the hash, so that nobody outside can make ids that collide */
  constructor(random: Random) {
    this.#seeds = [integerBetween(random, 0, 0xffff_ffff), integerBetween(random, 0, 0xffff_ffff)]
  }

  add(id: string, seq: number): void {
    let newest = this.#generations.at(-1)
    if (newest === undefined || newest.full) {
      newest = new Generation(seq)
      this.#generations.push(newest)
    }
    newest.add(hash(id, this.#seeds[0]), hash(id, this.#seeds[1]), seq)
  }

  /** A place of an id. @param has whether a place really has the id and will do */
  find(id: string, has: (seq: number) => boolean): number | undefined {
    const high = hash(id, this.#seeds[0])
    const low = hash(id, this.#seeds[1])
    for (let index = this.#generations.length - 1; index >= 0; index -= 1) {
      const seq = this.#generations[index]!.find(high, low, has)
      if (seq !== undefined) return seq
    }
    return undefined
  }

  /** Forgets what lies before a place, as far as whole generations go. */
  forgetBefore(seq: number): void {
    this.#generations = this.#generations.filter((generation) => generation.last >= seq)
  }

  get bytes(): number {
    return this.#generations.reduce((sum, generation) => sum + generation.bytes, 0)
  }
}

/** A hash table with linear probing that grows until it holds {@link GENERATION} entries. */
class Generation {
  readonly #base: number
  #high = new Uint32Array(SMALLEST)
  #low = new Uint32Array(SMALLEST)
  /** Places, counted from one before `#base` so that 0 is free. */
  #place = new Uint32Array(SMALLEST)
  #count = 0
  last: number

  constructor(base: number) {
    this.#base = base
    this.last = base
  }

  get full(): boolean {
    return this.#count >= GENERATION
  }

  get bytes(): number {
    return this.#place.length * 12
  }

  add(high: number, low: number, seq: number): void {
    if (this.#count * 2 >= this.#place.length) this.#grow()
    this.#put(high, low, seq - this.#base + 1)
    this.#count += 1
    this.last = Math.max(this.last, seq)
  }

  find(high: number, low: number, has: (seq: number) => boolean): number | undefined {
    const mask = this.#place.length - 1
    for (let slot = low & mask; this.#place[slot] !== 0; slot = (slot + 1) & mask) {
      if (this.#low[slot] !== low || this.#high[slot] !== high) continue
      const seq = this.#base + this.#place[slot]! - 1
      if (has(seq)) return seq
    }
    return undefined
  }

  #put(high: number, low: number, place: number): void {
    const mask = this.#place.length - 1
    let slot = low & mask
    while (this.#place[slot] !== 0) slot = (slot + 1) & mask
    this.#high[slot] = high
    this.#low[slot] = low
    this.#place[slot] = place
  }

  #grow(): void {
    const [high, low, place] = [this.#high, this.#low, this.#place]
    this.#high = new Uint32Array(high.length * 2)
    this.#low = new Uint32Array(high.length * 2)
    this.#place = new Uint32Array(high.length * 2)
    for (let slot = 0; slot < place.length; slot += 1) {
      if (place[slot] !== 0) this.#put(high[slot]!, low[slot]!, place[slot]!)
    }
  }
}

/** FNV-1a over the code units, with a final mix so that the low bits are good ones. */
function hash(text: string, seed: number): number {
  let value = (0x811c_9dc5 ^ seed) | 0
  for (let index = 0; index < text.length; index += 1) {
    value = Math.imul(value ^ text.charCodeAt(index), 0x0100_0193)
  }
  value = Math.imul(value ^ (value >>> 16), 0x85eb_ca6b)
  value = Math.imul(value ^ (value >>> 13), 0xc2b2_ae35)
  return (value ^ (value >>> 16)) >>> 0
}
