import type { Random } from '../../core/random.ts'

const FIRST_MS = 500
const LONGEST_MS = 3000

/**
 * How long to wait before trying again: at most 0.5 s at first, doubling to 3 s, the whole of it by chance, so that
 * nodes that lost the same server do not come back together. Not 30 s, as R8 says: then nobody could promise that the
 * stream goes on within 5 s of the store's return (E-204).
 *
 * Source: event-stream.md R8, section 12.
 */
export function reconnectDelayMs(attempt: number, random: Random): number {
  return Math.floor(random.next() * Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(attempt, 10)))
}
