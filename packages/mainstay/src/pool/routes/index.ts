import type { Clock } from '../../core/clock.ts'
import type { HttpApp } from '../../http/index.ts'
import type { NativePool } from '../native-pool.ts'
import type { PoolMetrics } from '../metrics.ts'
import type { PoolStore } from '../store.ts'
import { VmHistory } from '../vm-history.ts'
import { changeRoutes } from './change-routes.ts'
import { leaseRoutes } from './lease-routes.ts'
import { lookRoutes } from './look-routes.ts'
import type { Audit } from './operator-route-parts.ts'
import { operatorRoutes } from './operator-routes.ts'

export type { Audit } from './operator-route-parts.ts'

export interface PoolRouteParts {
  readonly pool: NativePool
  readonly store: PoolStore
  readonly clock: Clock
  readonly metrics: PoolMetrics
  readonly audit: (entry: Audit) => void
  /** Reads the configuration again; null where this process cannot. */
  readonly reload: (() => Promise<void>) | null
  /** The longest that one call waits, in milliseconds. */
  readonly longestPollMs: number
}

/** The native routes of the pool, below `/api/v1/pools`. Source: vm-pool.md C15. */
export function poolRoutes(app: HttpApp, parts: PoolRouteParts): void {
  const { pool, store, clock, metrics, longestPollMs } = parts
  leaseRoutes(app, { manager: pool.manager, clock, metrics, longestPollMs })
  lookRoutes(app, { pool, store, history: new VmHistory(pool.watch), now: () => clock.now() })
  changeRoutes(app, { watch: pool.watch, clock })
  operatorRoutes(app, parts)
}
