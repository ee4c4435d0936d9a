import type { Ids } from '../../core/ids.ts'
import type { ChangeHub } from '../change-hub.ts'
import type { Changed, PoolStore } from '../store.ts'
import type { PoolTables } from '../transitions/tables.ts'
import { beginTurn, type Turn } from '../transitions/turn.ts'
import type { PoolReads } from './pool-reads.ts'

/** A database that runs the transitions in this process. */
export interface TablePlace extends AsyncDisposable {
  readonly kind: PoolStore['kind']
  readonly ids: Ids
  /** Tells of what was changed, to as many as share this database's changes. */
  readonly hub: ChangeHub
  /** Committed data only. */
  readonly reads: PoolReads
  /** Runs work as one atomic step; when it resolves, the change is kept. */
  transact<T>(work: (tables: PoolTables) => Promise<T>): Promise<T>
  /** Writes the indexes of some machines anew. @returns the last name, null at the end */
  reindex(after: string | null, limit: number): Promise<string | null>
  verify(): Promise<readonly string[]>
}

/** How many machines are indexed anew in one step. */
const REINDEX_PAGE = 500

/** Runs the transitions of `transitions/` on a database, and tells of what they changed. */
export class Turns {
  readonly place: TablePlace

  constructor(place: TablePlace) {
    this.place = place
  }

  get hub(): ChangeHub {
    return this.place.hub
  }

  get reads(): PoolReads {
    return this.place.reads
  }

  /** Runs one transition, keeps its changes with it, and tells of them once they are kept. */
  async run<T extends object>(now: number, work: (turn: Turn) => Promise<T>): Promise<T & Changed>
  async run(now: number, work: (turn: Turn) => Promise<void>): Promise<Changed>
  async run(now: number, work: (turn: Turn) => Promise<object | void>): Promise<object & Changed> {
    const done = await this.place.transact(async (tables) => {
      const turn = await beginTurn(tables, this.place.ids, now)
      const result = await work(turn)
      if (turn.changes.length > 0) await tables.tell(turn.changes)
      return { result, changes: turn.changes }
    })
    this.hub.tell(done.changes)
    return { ...done.result, changes: done.changes }
  }

  /** Places all machines anew, page by page: deadlines depend on the rules. */
  async reindexAll(): Promise<void> {
    let after = await this.place.reindex(null, REINDEX_PAGE)
    while (after !== null) after = await this.place.reindex(after, REINDEX_PAGE)
  }
}
