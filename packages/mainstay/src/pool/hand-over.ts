import type { Clock } from '../core/clock.ts'
import type { CheckOutcome } from './check/index.ts'
import type { VmDescriptor } from './descriptor.ts'
import { VmLeaseLostError, VmNotFoundError } from './errors.ts'
import type { PoolStore, VmLease } from './store.ts'

/** Checks a machine before its holder gets it; null where its group wants no such check. */
export type HandOverCheck = (vm: VmDescriptor, signal: AbortSignal) => Promise<CheckOutcome | null>

export interface HandOverDeps {
  readonly store: Pick<PoolStore, 'terminate' | 'release'>
  readonly clock: Clock
  readonly handOver?: HandOverCheck | undefined
}

/**
 * The check between the grant of machines and the answer that hands them over, whoever asks and however often. What does not
 * pass is destroyed; the whole request is asked again then, so what was good of a gang goes back.
 *
 * A machine whose holder has shown life was handed over before: it is worked with, and nobody but its holder calls it broken.
 *
 * Source: vm-pool.md C7 (checkOnAcquire), C9.
 *
 * @returns why machines were thrown away, null when all may be handed over
 * @throws the signal's reason
 */
export async function checkHandOver(
  leases: readonly VmLease[],
  { store, clock, handOver }: HandOverDeps,
  signal: AbortSignal,
): Promise<string | null> {
  if (handOver === undefined) return null
  const results = await Promise.all(
    leases.map(async ({ vm, token }) => {
      const result = hasShownLife(vm) ? null : await handOver(vm, signal)
      return result === null || result.passed ? null : { name: vm.name, token, reason: result.reason }
    }),
  )
  const bad = results.filter((result) => result !== null)
  for (const { name, token, reason } of bad) {
    const why = `it did not pass the check at the hand-over: ${reason}`
    await unlessLost(store.terminate({ names: [name], by: { token }, reason: why, now: clock.now() }))
  }
  if (bad.length === 0) return null
  const good = leases.filter(({ vm }) => !bad.some(({ name }) => name === vm.name))
  for (const { vm, token } of good) await unlessLost(store.release({ name: vm.name, token, now: clock.now() }))
  return bad[0]!.reason
}

/** Whether its lease was prolonged, which only somebody who has it does. Source: vm-pool.md C5. */
export function hasShownLife({ inUseSince, leaseMs, leaseExpiresAt }: VmDescriptor): boolean {
  if (inUseSince === null || leaseMs === null || leaseExpiresAt === null) return false
  return leaseExpiresAt > inUseSince + leaseMs
}

/** Somebody who repeated the request meanwhile may have found the same out, and been faster. */
async function unlessLost(giving: Promise<unknown>): Promise<void> {
  try {
    await giving
  } catch (error) {
    if (!(error instanceof VmLeaseLostError) && !(error instanceof VmNotFoundError)) throw error
  }
}
