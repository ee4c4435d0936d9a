import { networkInterfaces } from 'node:os'

import type { Clock } from '../core/clock.ts'
import { canonicalJson } from '../core/json.ts'

/**
 * Calls `changed` when this host's addresses have changed, so that deliveries are tried again at once.
 *
 * Source: monitors.md 2.4 (wake-up).
 *
 * @param periodMs how often they are looked at
 */
export function watchNetwork(
  { clock, addresses = hostAddresses }: { clock: Clock; addresses?: () => string },
  { periodMs, changed }: { periodMs: number; changed: () => void },
): Disposable {
  let known = addresses()
  let timer: Disposable
  const look = (): void => {
    const now = addresses()
    if (now !== known) {
      known = now
      changed()
    }
    timer = clock.after(periodMs, look)
  }
  timer = clock.after(periodMs, look)
  return { [Symbol.dispose]: () => timer[Symbol.dispose]() }
}

function hostAddresses(): string {
  return canonicalJson(networkInterfaces())
}
