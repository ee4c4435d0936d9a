import type { Compute, Instance } from '../../compute/index.ts'
import type { Clock } from '../../core/clock.ts'
import { isRetryable } from '../../core/errors.ts'

/**
 * Waits until a guest is as it should be, also across moments at which the platform does not answer: that it cannot be
 * asked now says nothing about the guest.
 *
 * @throws TimeoutError after `timeoutMs`, InstanceNotFoundError, what `until` throws
 */
export async function waitForInstance(
  compute: Compute,
  uuid: string,
  until: (instance: Instance) => boolean,
  { clock, timeoutMs, pollMs, signal }: { clock: Clock; timeoutMs: number; pollMs: number; signal: AbortSignal },
): Promise<Instance> {
  const deadline = clock.monotonic() + timeoutMs
  for (;;) {
    const remainingMs = deadline - clock.monotonic()
    try {
      return await compute.waitForInstance(uuid, until, { timeoutMs: remainingMs, pollMs, signal })
    } catch (error) {
      if (signal.aborted || !isRetryable(error) || clock.monotonic() + pollMs >= deadline) throw error
      await clock.sleep(pollMs, { signal })
    }
  }
}
