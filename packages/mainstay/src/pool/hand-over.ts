import type { Clock } from '../core/clock.ts'
import type { CheckOutcome } from './check/index.ts'
import type { VmDescriptor } from './descriptor.ts'
import { VmLeaseLostError, VmNotFoundError } from './errors.ts'
import type { PoolStore, VmLease } from './store.ts'

/** Checks a machine before its holder gets it; null where its group wants no such check. */
export type HandOverCheck = (vm: VmDescriptor, signal: AbortSignal) => Promise<CheckOutcome | null>

export interface HandOverDeps {
  readonly store: Pick<PoolStore, 'terminate' | 'release' | 'heartbeat' | 'get'>
  readonly clock: Clock
  readonly handOver?: HandOverCheck | undefined
}

/** The leases as they may be handed over, or why machines were thrown away. */
export type HandedOver = { readonly leases: readonly VmLease[] } | { readonly failed: string }

/**
 * The check between the grant of machines and the answer that hands them over, whoever asks and however often. What does not
 * pass is destroyed; the whole request is asked again then, so what was good of a gang goes back.
 *
 * A machine that was handed over before is worked with, and nobody but its holder calls it broken. That it was is in its lease,
 * which counts from the hand-over on: every process sees it, and it outlives them.
 *
 * Source: vm-pool.md C5, C7 (checkOnAcquire), C9.
 *
 * @throws the signal's reason
 */
export async function checkHandOver(
  leases: readonly VmLease[],
  deps: HandOverDeps,
  signal: AbortSignal,
): Promise<HandedOver> {
  const { store, clock, handOver } = deps
  if (handOver === undefined) return { leases }
  const results = await Promise.all(
    leases.map(async (lease) => {
      const { vm, token } = lease
      const result = wasHandedOver(vm) ? null : await handOver(vm, signal)
      const failed = result?.passed === false && !(await wasTaken(lease, store))
      return { lease, checked: result !== null, bad: failed ? { name: vm.name, token, reason: result.reason } : null }
    }),
  )
  const bad = results.flatMap((result) => result.bad ?? [])
  for (const { name, token, reason } of bad) {
    const why = `it did not pass the check at the hand-over: ${reason}`
    await unlessLost(store.terminate({ names: [name], by: { token }, reason: why, now: clock.now() }))
  }
  if (bad.length === 0) {
    // To somebody who has gone nothing is handed over.
    signal.throwIfAborted()
    const marked = results.map(async ({ lease, checked }) => (checked ? await markHandedOver([lease], deps) : [lease]))
    return { leases: (await Promise.all(marked)).flat() }
  }
  const good = leases.filter(({ vm }) => !bad.some(({ name }) => name === vm.name))
  for (const { vm, token } of good) await unlessLost(store.release({ name: vm.name, token, now: clock.now() }))
  return { failed: bad[0]!.reason }
}

/** Remembers that leases are given to whoever asked for them. Source: vm-pool.md C5, C7. */
export async function markHandedOver(
  leases: readonly VmLease[],
  { store, clock }: Pick<HandOverDeps, 'store' | 'clock'>,
): Promise<readonly VmLease[]> {
  return await Promise.all(
    leases.map(async (lease) => {
      const { vm, token } = lease
      if (wasHandedOver(vm) || vm.inUseSince === null) return lease
      // A later moment than the grant, however quick the check was: else the lease would look as it did before.
      const now = Math.max(clock.now(), vm.inUseSince + 1)
      const beat = await unlessLost(store.heartbeat({ name: vm.name, token, now }))
      return beat === null
        ? lease
        : { ...lease, vm: { ...vm, leaseExpiresAt: beat.expiresAt }, expiresAt: beat.expiresAt }
    }),
  )
}

/** Somebody who asked for the same may have got it while it was checked. */
async function wasTaken({ vm: { name }, token }: VmLease, store: HandOverDeps['store']): Promise<boolean> {
  const vm = await store.get(name)
  return vm !== null && vm.leaseToken === token && wasHandedOver(vm)
}

/** Whether its lease was prolonged: at the hand-over, or by its holder. Source: vm-pool.md C5. */
function wasHandedOver({ inUseSince, leaseMs, leaseExpiresAt }: VmDescriptor): boolean {
  if (inUseSince === null || leaseMs === null || leaseExpiresAt === null) return false
  return leaseExpiresAt > inUseSince + leaseMs
}

/** Somebody who repeated the request meanwhile may have found the same out, and been faster: null then. */
async function unlessLost<T>(work: Promise<T>): Promise<T | null> {
  try {
    return await work
  } catch (error) {
    if (!(error instanceof VmLeaseLostError) && !(error instanceof VmNotFoundError)) throw error
    return null
  }
}
