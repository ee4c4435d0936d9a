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
