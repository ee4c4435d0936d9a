import { errorCode } from '../../core/errors.ts'
import { MainstayApiError, ServerUnreachableError } from '../errors.ts'

/** With these the connection was never made, so that nothing was heard of the call. */
const NEVER_MADE: ReadonlySet<string | undefined> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
])

/** The pool itself says that it has let go of what it had granted; one that may wait is in its queue again. */
const LET_GO = 'MS_POOL_HAND_OVER'

/**
 * Whether a server may have granted machines, or have a request in its queue, although the call that asked for them failed: no
 * answer came in time, the connection broke, somebody between us and the server gave up.
 *
 * @param queued whether the request was seen to be in the queue before
 * @param waits whether it may wait
 *
 * Source: vm-pool.md C4.
 */
export function isUndecided(
  error: unknown,
  { queued, waits }: { readonly queued: boolean; readonly waits: boolean },
): boolean {
  if (error instanceof MainstayApiError) {
    if (error.faultKey === LET_GO) return waits
    return error.status >= 500 || (queued && error.retryable)
  }
  if (error instanceof ServerUnreachableError) return queued || !NEVER_MADE.has(reasonOf(error))
  return true
}

/** `fetch` hides the reason of a failed connection in the cause of its error. */
function reasonOf({ cause }: ServerUnreachableError): string | undefined {
  return errorCode(cause instanceof Error && cause.cause !== undefined ? cause.cause : cause)
}
