import { randomUUID } from 'node:crypto'

import type { Random } from './random.ts'
import { uuidOf } from './uuid.ts'

/** Identifiers, injected so that a seed replays them. */
export interface Ids {
  /** A random UUID (RFC 9562 version 4), lower case with dashes. */
  random(): string
  /** A UUID that sorts by the time of its making (RFC 9562 version 7), lower case with dashes. */
  ordered(): string
}

/** Half of what 12 bits hold, so that a millisecond has room for at least as many again. */
const FIRST_COUNT_MAX = 2 ** 11

/**
 * Identifiers from the operating system's randomness. Those of one process sort in the order of their making also
 * within a millisecond, and when the clock is set back: a counter stands beside the time (RFC 9562, 6.2 method 1).
 */
export class SystemIds implements Ids {
  #lastMs = 0
  #count = 0

  random(): string {
    return randomUUID()
  }

  ordered(): string {
    const now = Date.now()
    const chance = randomDigits()
    if (now > this.#lastMs) {
      this.#lastMs = now
      this.#count = Number.parseInt(chance.slice(0, 4), 16) % FIRST_COUNT_MAX
    } else if (this.#count < 0xfff) {
      this.#count += 1
    } else {
      this.#lastMs += 1
      this.#count = 0
    }
    const counted = this.#lastMs.toString(16).padStart(12, '0') + this.#count.toString(16).padStart(4, '0')
    return uuidOf(counted + chance.slice(4), '7')
  }
}

/**
 * 20 hexadecimal digits, each of them random: what a UUID of version 4 has before its version and after its variant. Node
 * makes those of many UUIDs at once, so they cost no system call each.
 */
function randomDigits(): string {
  const uuid = randomUUID()
  return uuid.slice(0, 8) + uuid.slice(24)
}

/** The same identifiers for the same chance; `ordered` counts instead of reading a clock. */
export class SeededIds implements Ids {
  readonly #random: Random
  #count = 0

  constructor(random: Random) {
    this.#random = random
  }

  random(): string {
    return uuidOf(this.#hex(32), '4')
  }

  ordered(): string {
    this.#count += 1
    return uuidOf(this.#count.toString(16).padStart(12, '0') + this.#hex(20), '7')
  }

  #hex(digits: number): string {
    let text = ''
    while (text.length < digits) text += Math.floor(this.#random.next() * 16).toString(16)
    return text
  }
}
