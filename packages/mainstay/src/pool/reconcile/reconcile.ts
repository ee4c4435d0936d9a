import pLimit from 'p-limit'

import type { Clock } from '../../core/clock.ts'
import { withDeadline } from '../../core/deadline.ts'
import { errorMessage } from '../../core/errors.ts'
import { allRecords } from '../all-records.ts'
import type { Provider } from '../provider/provider.ts'
import type { PoolStore } from '../store.ts'
import { carryOut, type CarriedOut, type ReconcileStore } from './carry-out.ts'
import { decideReconcile, type Listing } from './decide-reconcile.ts'
import type { ReconcileDecision } from './decision.ts'
import { DEFAULT_RECONCILE_OPTIONS, type ReconcileOptions } from './options.ts'

export interface ReconcileParts {
  readonly store: ReconcileStore & Pick<PoolStore, 'list' | 'partialRecords'>
  readonly providers: readonly Provider[]
  readonly clock: Clock
  readonly options?: Partial<ReconcileOptions>
}

export interface ReconcileRun {
  readonly signal: AbortSignal
  /** Of the master that does it; null for an operator. */
  readonly fence: number | null
  /** What a person allowed although it was too much. */
  readonly confirmed?: ReadonlySet<string>
  /** Only decides. */
  readonly dryRun?: boolean
}

export interface ReconcileReport {
  readonly startedAt: number
  readonly endedAt: number
  readonly decisions: readonly ReconcileDecision[]
  /** What became of each that was to be carried out; empty for a dry run. */
  readonly carriedOut: readonly CarriedOut[]
}

/**
 * One pass: reads the records, asks every provider, decides, and carries that out, looking once more before each act. One
 * provider's failure, or one machine's, does not stop the others.
 *
 * Source: vm-pool.md C10, C19.
 *
 * @throws what the store throws; the signal's reason
 */
export async function reconcile(parts: ReconcileParts, run: ReconcileRun): Promise<ReconcileReport> {
  const { store, providers, clock } = parts
  const { signal, fence, confirmed, dryRun = false } = run
  const options = { ...DEFAULT_RECONCILE_OPTIONS, ...parts.options }
  const startedAt = clock.now()
  // In this order: what is made or destroyed in between is then unknown and young, or known and looked at again.
  const known = await allRecords(store, signal)
  const partial = await store.partialRecords({ now: startedAt })
  const listings = await Promise.all(providers.map(async (each) => await listingOf(each, { clock, options, signal })))
  signal.throwIfAborted()
  const input = { known, partial, listings, now: clock.now(), ...(confirmed === undefined ? {} : { confirmed }) }
  const decisions = decideReconcile(input, options)
  const carriedOut: CarriedOut[] = []
  if (!dryRun) {
    const byName = new Map(providers.map((provider) => [provider.name, provider]))
    const limit = pLimit(options.concurrency)
    const doer = { store, providers: byName, clock, options, fence, signal }
    const outcomes = decisions.map(async (decision) => await limit(async () => await carryOut(decision, doer)))
    for (const outcome of await Promise.all(outcomes)) if (outcome !== null) carriedOut.push(outcome)
  }
  return { startedAt, endedAt: clock.now(), decisions, carriedOut }
}

/** A failure is a finding here: nothing is then decided about the provider. */
async function listingOf(
  provider: Provider,
  { clock, options, signal }: { clock: Clock; options: ReconcileOptions; signal: AbortSignal },
): Promise<Listing> {
  const { name, installation, capabilities } = provider
  const base = { provider: name, installation }
  if (!capabilities.list || !capabilities.tags) {
    return { ...base, outcome: { failure: 'it cannot list its machines with their tags' } }
  }
  const { listTimeoutMs: timeoutMs } = options
  try {
    const outcome = await withDeadline(
      { clock, what: `Listing the machines of provider ${name}`, timeoutMs, signal },
      async (bounded) => {
        const machines = await provider.list({ signal: bounded })
        const withResources = capabilities.resources.length > 0
        const resources = withResources ? await provider.listResources({ signal: bounded }) : null
        return { machines, resources }
      },
    )
    return { ...base, outcome }
  } catch (error) {
    signal.throwIfAborted()
    return { ...base, outcome: { failure: errorMessage(error) } }
  }
}
