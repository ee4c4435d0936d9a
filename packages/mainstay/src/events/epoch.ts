import type { Ids } from '../core/ids.ts'

/** A name for a new history: 48 random bits, short because every cursor carries it. Source: event-stream.md R1. */
export function newEpoch(ids: Ids): string {
  return ids.random().slice(0, 13)
}
