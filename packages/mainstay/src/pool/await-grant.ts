import type { Clock } from '../core/clock.ts'
import { PoolRequestRefusedError } from './manager-errors.ts'
import type { PoolRequest, Refusal } from './request.ts'
import type { PoolStore, VmLease } from './store.ts'
import type { Waiters } from './waiters.ts'

/** How an acquire ended: with machines, or still waiting when the caller had to go. */
export type Acquired =
  | Granted
  | { readonly outcome: 'waiting'; readonly request: PoolRequest; readonly refusals: readonly Refusal[] }

export interface Granted {
  readonly outcome: 'granted'
  readonly requestId: string
  readonly leases: readonly VmLease[]
}

export interface AwaitOptions {
  readonly signal: AbortSignal
  /** When to answer that it still waits, for a long poll; at the end of the wait unless given. */
  readonly untilMs?: number | undefined
}

export interface AwaitDeps {
  readonly store: PoolStore
  readonly clock: Clock
  readonly waiters: Waiters
}

/** How often somebody who waits looks although nobody woke him, in milliseconds. */
const LOOK_AGAIN_MS = 5000

/** Requests that are ended in one go when one of them is found to be over. */
const EXPIRE_BATCH = 100

/**
 * Waits for a request in the queue: looks, sleeps until woken, looks again.
 *
 * @throws PoolRequestRefusedError when it ended without machines, or the signal's reason
 *
 * Source: vm-pool.md C4.
 */
export async function awaitGrant(
  deps: AwaitDeps,
  { id }: PoolRequest,
  options: AwaitOptions & { readonly refusals?: readonly Refusal[] },
): Promise<Acquired> {
  const { store, clock, waiters } = deps
  const { signal, untilMs, refusals = [] } = options
  let woken = Promise.withResolvers<void>()
  using _wakes = waiters.on(id, () => woken.resolve())
  for (;;) {
    const granted = await findGrant(store, id)
    if (granted !== null) return granted
    const request = await store.request(id)
    if (request === null) throw new PoolRequestRefusedError(id, 'gone', null)
    const now = clock.now()
    const over = now >= request.waitUntil
    if (over && request.status === 'waiting') await expire(deps, now)
    else if (request.status !== 'waiting') return await ended(store, request)
    else if (untilMs !== undefined && now >= untilMs) return { outcome: 'waiting', request, refusals }
    else {
      const sleepMs = Math.min(LOOK_AGAIN_MS, request.waitUntil - now, (untilMs ?? request.waitUntil) - now)
      await sleepOrWake(clock, Math.max(1, sleepMs), { woken: woken.promise, signal })
    }
    woken = Promise.withResolvers<void>()
  }
}

/** The machines of a request; null while it has none. */
export async function findGrant(store: PoolStore, id: string): Promise<Granted | null> {
  const leases = await store.leases(id)
  return leases.length === 0 ? null : { outcome: 'granted', requestId: id, leases }
}

async function expire({ store }: AwaitDeps, now: number): Promise<void> {
  await store.expireRequests({ now, fence: null, limit: EXPIRE_BATCH })
}

/** It may have been granted between the look at its machines and the look at itself. @throws PoolRequestRefusedError */
async function ended(store: PoolStore, { id, status, reason }: PoolRequest): Promise<Granted> {
  const granted = status === 'granted' ? await findGrant(store, id) : null
  if (granted !== null) return granted
  throw new PoolRequestRefusedError(id, status, reason)
}

async function sleepOrWake(
  clock: Clock,
  ms: number,
  { woken, signal }: { readonly woken: Promise<void>; readonly signal: AbortSignal },
): Promise<void> {
  signal.throwIfAborted()
  const over = Promise.withResolvers<void>()
  const stop = (): void => over.reject(signal.reason)
  signal.addEventListener('abort', stop, { once: true })
  using _timer = clock.after(ms, () => over.resolve())
  try {
    await Promise.race([woken, over.promise])
  } finally {
    signal.removeEventListener('abort', stop)
    over.promise.catch(() => undefined)
  }
}
