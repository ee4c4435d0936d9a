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
}

/** The longest that somebody who has given up is kept, in milliseconds. */
const LONGEST_MS = 10_000

/** The longest that one look takes, in milliseconds. */
const CALL_MS = 3000

/** The pause before the next look, in milliseconds. */
const AGAIN_MS = 500

/**
 * Leaves nothing behind of an acquire that was given up: the request leaves the queue, and what it was granted meanwhile goes
 * back. Tries for a few seconds; after that the wait, or the lease, ends by itself.
 *
 * A request that the server does not know is looked for once more: the call that makes it may still be on its way.
 *
 * @param options.patient whether it is looked for until the end, because the server was slow with that very call
 * @param options.isOurs whether a machine was granted to whoever gives up; another holder of the same request keeps his
 *
 * Source: vm-pool.md C4.
 */
export async function leaveQueue(
  calls: LeaveCalls,
  clock: Clock,
  { requestId, patient, isOurs }: LeaveOptions,
): Promise<void> {
  const until = clock.monotonic() + LONGEST_MS
  let unknown = 0
  while (clock.monotonic() < until) {
    const limit = { clock, what: `Giving up the request ${requestId}`, timeoutMs: CALL_MS }
    try {
      const left = await withDeadline(limit, async (signal) => await leave(calls, { requestId, isOurs }, { signal }))
      if (left === 'left') return
      if (left === 'unknown') unknown += 1
      if (unknown === 2 && !patient) return
    } catch (error) {
      // Whatever it was, the next look may do better, and the caller wants to hear why it was given up, not this.
      if (!(error instanceof Error)) throw error
    }
    await clock.sleep(AGAIN_MS)
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
