import type { NativePool } from '../native-pool.ts'
import type { PoolStore } from '../store.ts'

/** A change that a person made, for the log and the event stream. */
export interface Audit {
  readonly action: string
  readonly subject: string
  readonly actor: string
  readonly reason: string
}

/** What the routes of operators work with. */
export interface OperatorRouteParts {
  readonly pool: NativePool
  readonly store: PoolStore
  readonly audit: (entry: Audit) => void
  /** Reads the configuration again; null where this process cannot. */
  readonly reload: (() => Promise<void>) | null
}
