import { TestkitError } from '../errors.ts'
import { mustBeOneOf } from '../spec-check.ts'

/**
 * What a proxy can do to one direction of a connection. `upstream` is from client to server. Names and meaning follow
 * Toxiproxy's. Times in milliseconds.
 */
export type Toxic =
  /** Each chunk arrives later, by `latencyMs` ± `jitterMs`; order is kept. */
  | { readonly type: 'latency'; readonly latencyMs: number; readonly jitterMs?: number }
  | { readonly type: 'bandwidth'; readonly kilobytesPerS: number }
  /** Cuts chunks into pieces and pauses between them. */
  | { readonly type: 'slicer'; readonly bytes: number; readonly delayMs: number }
  /** Closes the connection after so many bytes. */
  | { readonly type: 'limitData'; readonly bytes: number }
  /** Swallows everything, and closes after the time; 0 never closes. */
  | { readonly type: 'timeout'; readonly timeoutMs: number }
  /** Resets the connection (RST) after the time. */
  | { readonly type: 'resetPeer'; readonly afterMs: number }
  /** The end of the stream arrives later. */
  | { readonly type: 'slowClose'; readonly delayMs: number }

export type Direction = 'upstream' | 'downstream'

export interface ToxicOptions {
  /** Default: both. */
  readonly direction?: Direction
  /** Probability that a connection is affected, drawn once per connection. Default 1. */
  readonly toxicity?: number
}

/** The numbers that each toxic has, and the least that each may be: with less nothing would ever pass, or nothing differ. */
const members: Readonly<Record<Toxic['type'], Readonly<Record<string, number>>>> = {
  latency: { latencyMs: 0 },
  bandwidth: { kilobytesPerS: Number.MIN_VALUE },
  slicer: { bytes: 1, delayMs: 0 },
  limitData: { bytes: 0 },
  timeout: { timeoutMs: 0 },
  resetPeer: { afterMs: 0 },
  slowClose: { delayMs: 0 },
}

/** Refuses a toxic that is not known, or whose numbers cannot be. Throws TK_BAD_SPEC. */
export function checkToxic(toxic: Toxic, { direction, toxicity = 1 }: ToxicOptions): void {
  mustBeOneOf('a toxic', toxic.type ?? '', Object.keys(members), bad)
  mustBeOneOf('the direction of a toxic', direction, ['upstream', 'downstream'], bad)
  const numbers: Readonly<Record<string, unknown>> = { ...toxic }
  const least = { ...members[toxic.type], ...(numbers['jitterMs'] === undefined ? {} : { jitterMs: 0 }) }
  for (const [name, limit] of Object.entries(least)) {
    const value = numbers[name]
    if (typeof value !== 'number' || !(value >= limit) || !Number.isFinite(value))
      bad(`${name} of the toxic "${toxic.type}" cannot be ${String(value)}`)
  }
  if (!(toxicity >= 0 && toxicity <= 1)) bad(`the toxicity must be from 0 to 1, not ${toxicity}`)
}

function bad(what: string): never {
  throw new TestkitError('TK_BAD_SPEC', what)
}

/** Numbers from 0 to 1 that are the same for the same seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}
