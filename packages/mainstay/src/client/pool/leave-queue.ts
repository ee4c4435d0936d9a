import type { Clock } from '../../core/clock.ts'
import { withDeadline } from '../../core/deadline.ts'
import { MainstayApiError } from '../errors.ts'
import type { CallOptions } from '../transport.ts'
import { saysLeaseGone } from './lease-answer.ts'
import type { GrantedLease } from './pool-record.ts'

/** What is asked of the server for a request that its client has given up. */
export interface LeaveCalls {
  cancel(requestId: string, reason: string, options: CallOptions): Promise<void>
  /** The machines of a request; null while it waits. */
  granted(requestId: string, options: CallOptions): Promise<readonly GrantedLease[] | null>
  release(lease: GrantedLease, options: CallOptions): Promise<unknown>
}

export interface LeaveOptions {
  readonly requestId: string
  readonly patient: boolean
  readonly isOurs: (lease: GrantedLease) => boolean
  readonly limitMs: number
  readonly signal?: AbortSignal | undefined
}

/** After so many answers of a server in trouble there is no use in asking on. */
const MOST_TROUBLES = 3

/** The longest that one look takes, in milliseconds. */
const CALL_MS = 3000

/** The pause before the next look, in milliseconds. */
const AGAIN_MS = 500

/**
 * Leaves nothing behind of an acquire that was given up: the request leaves the queue, and what it was granted meanwhile goes
 * back. Tries for as long as it may; after that, and for a server in trouble, the wait, or the lease, ends by itself.
 *
 * A request that the server does not know is looked for once more: the call that makes it may still be on its way.
 *
 * @param options.patient whether it is looked for until the end, because the server was slow with that very call
 * @param options.limitMs the longest that somebody who has given up is kept, in milliseconds
 * @param options.signal ends it at once
 * @param options.isOurs whether a machine was granted to whoever gives up; another holder of the same request keeps his
 *
 * Source: vm-pool.md C4.
 */
export async function leaveQueue(
  calls: LeaveCalls,
  clock: Clock,
  { requestId, patient, isOurs, limitMs, signal: stop }: LeaveOptions,
): Promise<void> {
  const until = clock.monotonic() + limitMs
  let unknown = 0
  let troubles = 0
  for (;;) {
    const timeoutMs = Math.min(CALL_MS, until - clock.monotonic())
    if (timeoutMs <= 0) return
    const limit = { clock, what: `Giving up the request ${requestId}`, timeoutMs, signal: stop }
    try {
      const left = await withDeadline(limit, async (signal) => await leave(calls, { requestId, isOurs }, { signal }))
      if (left === 'left') return
      if (left === 'unknown') unknown += 1
      if (unknown === 2 && !patient) return
    } catch (error) {
      // Whatever it was, the next look may do better, and the caller wants to hear why it was given up, not this.
      if (stop?.aborted === true) return
      if (!(error instanceof Error)) throw error
      if (error instanceof MainstayApiError && error.status >= 500) troubles += 1
      if (troubles === MOST_TROUBLES) return
    }
    if (!(await slept(clock, Math.min(AGAIN_MS, until - clock.monotonic()), stop))) return
  }
}

/** @returns false when the signal ended it */
async function slept(clock: Clock, ms: number, signal: AbortSignal | undefined): Promise<boolean> {
  try {
    await clock.sleep(Math.max(0, ms), { signal })
    return true
  } catch (error) {
    if (signal?.aborted !== true) throw error
    return false
  }
}

async function leave(
  calls: LeaveCalls,
  { requestId, isOurs }: Pick<LeaveOptions, 'requestId' | 'isOurs'>,
  options: CallOptions,
): Promise<'left' | 'unknown' | 'waiting'> {
  try {
    await calls.cancel(requestId, 'its client gave it up', options)
    return 'left'
  } catch (error) {
    if (isFault(error, 'MS_POOL_REQUEST_NOT_FOUND')) return 'unknown'
    if (!isFault(error, 'MS_POOL_REQUEST_ENDED')) throw error
  }
  const leases = await grantedTo(calls, requestId, options)
  if (leases === null) return 'waiting'
  await Promise.all(leases.filter(isOurs).map(async (lease) => await giveBack(calls, lease, options)))
  return 'left'
}

async function grantedTo(
  calls: LeaveCalls,
  requestId: string,
  options: CallOptions,
): Promise<readonly GrantedLease[] | null> {
  try {
    return await calls.granted(requestId, options)
  } catch (error) {
    // It ended without a machine, or its machines are back already.
    if (isFault(error, 'MS_POOL_REQUEST_REFUSED') || isFault(error, 'MS_POOL_REQUEST_NOT_FOUND')) return []
    throw error
  }
}

async function giveBack(calls: LeaveCalls, lease: GrantedLease, options: CallOptions): Promise<void> {
  try {
    await calls.release(lease, options)
  } catch (error) {
    if (!saysLeaseGone(error)) throw error
  }
}

function isFault(error: unknown, code: string): boolean {
  return error instanceof MainstayApiError && error.faultKey === code
}
