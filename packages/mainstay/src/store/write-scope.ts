import { AsyncLocalStorage } from 'node:async_hooks'

import type { Clock } from '../core/clock.ts'
import { StoreNestedWriteError, StoreWorkStuckError } from './errors.ts'
import type { Queries } from './store.ts'

/** The longest that the work of one write may take unless an option says otherwise. */
export const DEFAULT_WORK_TIMEOUT_MS = 30_000

/** The longest that bringing the schema up to date may take unless an option says otherwise. */
export const DEFAULT_MIGRATION_TIMEOUT_MS = 600_000

/** Set for everything that the work of a write calls, until that work has settled. */
const inside = new AsyncLocalStorage<{ active: boolean }>()

/** @throws StoreNestedWriteError inside the work of a write */
export function refuseNestedWrite(): void {
  if (inside.getStore()?.active === true) throw new StoreNestedWriteError()
}

/**
 * Runs the work of one write and stops waiting for it after `timeoutMs`.
 *
 * @throws StoreWorkStuckError, or what `work` threw
 */
export async function runWork<T>(
  queries: Queries,
  work: (queries: Queries) => Promise<T>,
  { clock, timeoutMs }: { clock: Clock; timeoutMs: number },
): Promise<T> {
  const scope = { active: true }
  const late = Promise.withResolvers<never>()
  using _timer = clock.after(timeoutMs, () => late.reject(new StoreWorkStuckError(timeoutMs)))
  try {
    return await Promise.race([inside.run(scope, () => work(queries)), late.promise])
  } finally {
    scope.active = false
  }
}
