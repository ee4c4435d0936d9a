/** Chance, injected so that a seed replays it. */
export interface Random {
  /** A number in [0, 1). */
  next(): number
}

/** Chance from the operating system, by the one way that Node and browsers share. */
export class SystemRandom implements Random {
  readonly #word = new Uint32Array(1)

  next(): number {
    return (crypto.getRandomValues(this.#word)[0] ?? 0) / 2 ** 32
  }
}

/** Bytes that nobody can foresee, from the operating system: for secrets and for names that nobody may guess. */
export function unpredictableBytes(count: number): Uint8Array<ArrayBuffer> {
  return crypto.getRandomValues(new Uint8Array(count))
}

/** The same numbers for the same seed: the sfc32 generator (Chris Doty-Humphrey, PractRand). */
export class SeededRandom implements Random {
  #a: number
  #b: number
  #c: number
  #counter = 1

  constructor(seed: number) {
    this.#a = seed | 0
    this.#b = Math.trunc(seed / 2 ** 32) | 0
    this.#c = 0x9e3779b9 | 0
    for (let round = 0; round < 15; round += 1) this.next()
  }

  next(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0
    return (sum >>> 0) / 2 ** 32
  }
}

/** A whole number in [low, high], both included. */
export function integerBetween(random: Random, low: number, high: number): number {
  return low + Math.floor(random.next() * (high - low + 1))
}
