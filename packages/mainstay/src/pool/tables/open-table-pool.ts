import type { PoolStore } from '../store.ts'
import { configurationOf } from './table-configuration.ts'
import { livesOf } from './table-lives.ts'
import { looksOf } from './table-looks.ts'
import { usesOf } from './table-uses.ts'
import { Turns, type TablePlace } from './turns.ts'

/** The pool on tables, in memory or in SQLite: each method is one transition of `transitions/`. */
export function openTablePool(place: TablePlace): PoolStore {
  const turns = new Turns(place)
  return {
    kind: place.kind,
    ...configurationOf(turns),
    ...livesOf(turns),
    ...usesOf(turns),
    ...looksOf(turns),
    changes: ({ signal }) => turns.hub.watch(signal),
    // A record is one row or one object, so none can lose a part (C19).
    partialRecords: async () => [],
    repair: async () => ({ changes: [], refused: [] }),
    verify: async () => await place.verify(),
    [Symbol.asyncDispose]: async () => await place[Symbol.asyncDispose](),
  }
}
