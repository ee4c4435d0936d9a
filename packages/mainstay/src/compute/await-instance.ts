import type { Clock } from '../core/clock.ts'
import { withDeadline } from '../core/deadline.ts'
import type { Instance } from './compute.ts'
import { InstanceNotFoundError } from './errors.ts'

export interface AwaitInstanceOptions {
  readonly clock: Clock
  readonly instance: string
  readonly look: (signal: AbortSignal) => Promise<Instance | undefined>
  /** Calls the function whenever the guest may have changed. */
  readonly watch: (wake: () => void) => Disposable
  readonly timeoutMs: number
  /** How long to go without news before looking again; never, where all news is told. */
  readonly pollMs: number | undefined
  readonly signal: AbortSignal
}

/**
 * Looks at a guest until it is as it should be: at once, after every piece of news, and now and then without any.
 *
 * @throws TimeoutError after `timeoutMs`, InstanceNotFoundError, what `until` throws, the signal's reason
 */
export async function awaitInstance(
  options: AwaitInstanceOptions,
  until: (instance: Instance) => boolean,
): Promise<Instance> {
  const { clock, instance, look, watch, timeoutMs, pollMs, signal: outer } = options
  const what = `Waiting for guest ${instance}`
  return await withDeadline({ clock, what, timeoutMs, signal: outer }, async (signal) => {
    let news = Promise.withResolvers<void>()
    const wake = (): void => news.resolve()
    using _watching = watch(wake)
    signal.addEventListener('abort', wake, { once: true })
    for (;;) {
      signal.throwIfAborted()
      // Before looking, not after: news that arrives while looking must not be lost.
      news = Promise.withResolvers<void>()
      const seen = await look(signal)
      if (seen === undefined) throw new InstanceNotFoundError(instance)
      if (until(seen)) return seen
      using _poll = pollMs === undefined ? undefined : clock.after(pollMs, wake)
      signal.throwIfAborted()
      await news.promise
    }
  })
}
