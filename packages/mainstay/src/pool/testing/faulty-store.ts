import { MainstayError } from '../../core/errors.ts'
import type { PoolStore } from '../store.ts'

/** The database is away for a moment, as a driver says it. */
export class StoreAwayError extends MainstayError {
  readonly code = 'MS_TEST_STORE_AWAY'
  readonly status = 503
  readonly retryable = true
}

/** What happens to calls of a store. */
export interface StoreFaults {
  /** `before` loses the question, `after` loses the answer. */
  next(): 'none' | 'before' | 'after'
  /** Whether the process that calls is dead, so that nothing of it reaches the store any more. */
  dead(): boolean
}

/** The same store behind a line that breaks. */
export function faultyStore(store: PoolStore, faults: StoreFaults): PoolStore {
  return new Proxy(store, {
    get: (target, name) => {
      const member: unknown = Reflect.get(target, name)
      if (typeof member !== 'function' || name === 'changes' || typeof name === 'symbol') return member
      return async (...args: readonly unknown[]): Promise<unknown> => {
        const fault = faults.dead() ? 'before' : faults.next()
        if (fault === 'before') throw new StoreAwayError('The question was lost.')
        const result: unknown = await (member as (...given: readonly unknown[]) => Promise<unknown>).apply(target, [
          ...args,
        ])
        if (fault === 'after' || faults.dead()) throw new StoreAwayError('The answer was lost.')
        return result
      }
    },
  })
}
