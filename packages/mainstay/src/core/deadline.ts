import type { Clock } from './clock.ts'
import { TimeoutError } from './errors.ts'

/**
 * Runs `work` with a signal that is aborted after `timeoutMs` or when the outer signal is.
 *
 * The wait ends at the deadline even when the work ignores its signal, so a caller never hangs on a driver.
 *
 * @throws TimeoutError when the time is over; the outer signal's reason when that came first
 */
export async function withDeadline<T>(
  {
    clock,
    what,
    timeoutMs,
    signal,
  }: { clock: Clock; what: string; timeoutMs: number; signal?: AbortSignal | undefined },
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted()
  const controller = new AbortController()
  const gaveUp = Promise.withResolvers<never>()
  const abort = (reason: unknown): void => {
    // In this order, so that the caller learns the reason and not what the work makes of its aborted signal.
    gaveUp.reject(reason)
    controller.abort(reason)
  }
  const onOuterAbort = (): void => abort(signal?.reason)
  signal?.addEventListener('abort', onOuterAbort, { once: true })
  using _timer = clock.after(timeoutMs, () => abort(new TimeoutError(what, timeoutMs)))
  try {
    return await Promise.race([work(controller.signal), gaveUp.promise])
  } finally {
    signal?.removeEventListener('abort', onOuterAbort)
    gaveUp.promise.catch(ignoreAfterwards)
  }
}

/** The race is over; a rejection of the loser has already been reported to the caller or no longer matters to it. */
function ignoreAfterwards(): void {}
