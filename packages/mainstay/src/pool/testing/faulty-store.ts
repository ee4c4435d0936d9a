import { MainstayError } from '../../core/errors.ts'
import type { PoolNews } from '../change.ts'
import type { PoolStore } from '../store.ts'

/** The database is away for a moment, as a driver says it. */
export class StoreAwayError extends MainstayError {
  readonly code = 'MS_TEST_STORE_AWAY'
  readonly status = 503
  readonly retryable = true
}

/** What becomes of one call: `before` loses the question, `after` loses the answer. */
export type StoreFault = 'none' | 'before' | 'after'

/** What happens to calls of a store. */
export interface StoreFaults {
  next(): StoreFault
  /** Whether the process that calls is dead, so that nothing of it reaches the store any more. */
  dead(): boolean
  /** Holds a call up before it is made: the process was put to sleep there. */
  pass(call: string): Promise<void>
  /** Told of what a call threw. */
  failed(error: unknown): void
  /** Told of each call that begins (+1) and that has its answer (-1). */
  underWay(by: 1 | -1): void
  /** Aborted when the connection of those who watch changes breaks. */
  connection(): AbortSignal
}

/** The same store behind a line that breaks. */
export function faultyStore(store: PoolStore, faults: StoreFaults): PoolStore {
  return new Proxy(store, {
    get: (target, name) => {
      if (name === 'changes') {
        return ({ signal }: { readonly signal: AbortSignal }) => watched(target, signal, faults.connection())
      }
      const member: unknown = Reflect.get(target, name)
      if (typeof member !== 'function' || typeof name === 'symbol') return member
      return async (...args: readonly unknown[]): Promise<unknown> => {
        await faults.pass(name)
        const fault = faults.dead() ? 'before' : faults.next()
        if (fault === 'before') throw new StoreAwayError('The question was lost.')
        const call = member as (...given: readonly unknown[]) => Promise<unknown>
        faults.underWay(1)
        try {
          const result = await call.apply(target, [...args])
          if (fault === 'after' || faults.dead()) throw new StoreAwayError('The answer was lost.')
          return result
        } catch (error) {
          faults.failed(error)
          throw error
        } finally {
          faults.underWay(-1)
        }
      }
    },
  })
}

/** Changes for as long as the connection holds. */
async function* watched(store: PoolStore, signal: AbortSignal, connection: AbortSignal): AsyncGenerator<PoolNews> {
  if (!connection.aborted) yield* store.changes({ signal: AbortSignal.any([signal, connection]) })
  if (!signal.aborted) throw new StoreAwayError('The connection was lost.')
}
