import type { Clock } from '../../core/clock.ts'
import { withDeadline } from '../../core/deadline.ts'
import { errorMessage } from '../../core/errors.ts'
import type { VmDescriptor } from '../descriptor.ts'
import type { Machine, MachineRef, Provider } from '../provider/provider.ts'
import type { PoolStore } from '../store.ts'
import { beyondUseBecause } from './decide-reconcile.ts'
import type { Leak, ReconcileDecision } from './decision.ts'
import type { ReconcileOptions } from './options.ts'

/** What became of one decision. */
export interface CarriedOut {
  readonly decision: ReconcileDecision
  /**
   * - `done`
   * - `not_needed`: looked at once more, it was not so (any more)
   * - `failed`: it is tried again in the next pass
   */
  readonly outcome: 'done' | 'not_needed' | 'failed'
  readonly because: string | null
}

export type ReconcileStore = Pick<PoolStore, 'get' | 'lost' | 'remove' | 'terminate' | 'repair'>

export interface ReconcileDoer {
  readonly store: ReconcileStore
  readonly providers: ReadonlyMap<string, Provider>
  readonly clock: Clock
  readonly options: ReconcileOptions
  readonly fence: number | null
  readonly signal: AbortSignal
}

/**
 * Does what was decided, after looking again at both sides: a list may be wrong, and time has passed.
 *
 * @returns null for what is only to be reported
 * @throws the signal's reason
 */
export async function carryOut(decision: ReconcileDecision, doer: ReconcileDoer): Promise<CarriedOut | null> {
  const act = actFor(decision, doer)
  if (act === null) return null
  const { clock, options, signal } = doer
  try {
    signal.throwIfAborted()
    const what = `To ${decision.decide.replace('_', ' ')}`
    const because = await withDeadline({ clock, what, timeoutMs: options.actTimeoutMs, signal }, act)
    return { decision, outcome: because === null ? 'done' : 'not_needed', because }
  } catch (error) {
    signal.throwIfAborted()
    return { decision, outcome: 'failed', because: errorMessage(error) }
  }
}

/** Does something and returns null, or says why there was nothing to do. */
type Act = (signal: AbortSignal) => Promise<string | null>

function actFor(decision: ReconcileDecision, doer: ReconcileDoer): Act | null {
  switch (decision.decide) {
    case 'destroy_machine':
      return async (signal) => await destroyMachine(providerOf(decision, doer), decision, doer, signal)
    case 'destroy_resource':
      return async (signal) => {
        await providerOf(decision, doer).destroyResource(decision.resource, { signal })
        return null
      }
    case 'lost':
    case 'gone':
      return async (signal) => await drop(providerOf(decision, doer), decision, doer, signal)
    case 'terminate':
      return async (signal) => await terminate(providerOf(decision, doer), decision, doer, signal)
    case 'repair_record':
      return async () => await repair(decision.vm, doer)
    case 'report_machine':
    case 'report_resource':
    case 'report_record':
    case 'hold_back':
    case 'skip_provider':
      return null
  }
}

async function destroyMachine(
  provider: Provider,
  { machine, because }: { readonly machine: Machine; readonly because: Leak },
  { store, providers }: ReconcileDoer,
  signal: AbortSignal,
): Promise<string | null> {
  const { name, providerId, address, data } = machine
  const record = await store.get(machine.tags!.vmName)
  if (record !== null) {
    if (because !== 'duplicate' || means(record, provider, providerId)) return 'a record knows it by now'
    if (!(await hasItsOwn(record, { provider, providerId, providers, signal }))) {
      return `its record is of provider ${record.provider}, which does not show that it means another machine`
    }
  }
  const seen = await provider.describe({ name, providerId }, { signal })
  if (seen === undefined) return 'it is gone by now'
  await provider.destroy({ name, providerId, address, data }, { signal })
  return null
}

async function drop(
  provider: Provider,
  { decide, vm }: { readonly decide: 'lost' | 'gone'; readonly vm: string },
  { store, clock, fence }: ReconcileDoer,
  signal: AbortSignal,
): Promise<string | null> {
  const record = await store.get(vm)
  if (record === null) return 'its record is gone by now'
  const ending = record.state === 'terminating' || record.state === 'stuck'
  if (record.provider !== provider.name || ending !== (decide === 'gone') || isBeingMade(record)) {
    return `it is ${record.state} at ${record.provider ?? 'no provider'} by now`
  }
  const seen = await provider.describe(refOf(record), { signal })
  if (seen !== undefined) return `its provider did not list it, but describes it: ${seen.status}`
  const now = clock.now()
  if (decide === 'gone') await store.remove({ name: vm, now })
  else await store.lost({ name: vm, now, fence, reason: `provider ${provider.name} has no such machine` })
  return null
}

async function terminate(
  provider: Provider,
  { vm }: { readonly vm: string },
  { store, clock, fence }: ReconcileDoer,
  signal: AbortSignal,
): Promise<string | null> {
  const record = await store.get(vm)
  if (record === null) return 'its record is gone by now'
  const seen = await provider.describe(refOf(record), { signal })
  const because = beyondUseBecause(record.state, seen?.status)
  if (because === null) return `it is ${record.state} and ${seen?.status ?? 'gone'} by now`
  const { refused } = await store.terminate({
    names: [vm],
    now: clock.now(),
    by: fence === null ? { operator: true, force: true } : { fence },
    reason: `its provider ${provider.name} says: ${because}`,
    allowedFrom: [record.state],
  })
  return refused[0]?.because ?? null
}

async function repair(vm: string, { store, clock, options }: ReconcileDoer): Promise<string | null> {
  const { refused } = await store.repair({ names: [vm], now: clock.now(), graceMs: options.graceMs })
  return refused[0]?.because ?? null
}

function providerOf({ provider }: { readonly provider: string }, { providers }: ReconcileDoer): Provider {
  // Decisions are about listings, and these came from the same providers.
  return providers.get(provider)!
}

function refOf({ name, providerId, ip, group, providerData }: VmDescriptor): MachineRef {
  return { name, providerId, address: ip, pool: group, data: providerData ?? {} }
}

function means(record: VmDescriptor, { name }: Provider, providerId: string): boolean {
  const here = record.provider === null || record.provider === name
  return here && (record.providerId === null || record.providerId === providerId)
}

/** Whether the provider of a record shows, now, a machine of its own that is not the one in question. */
async function hasItsOwn(
  record: VmDescriptor,
  {
    provider,
    providerId,
    providers,
    signal,
  }: {
    readonly provider: Provider
    readonly providerId: string
    readonly providers: ReadonlyMap<string, Provider>
    readonly signal: AbortSignal
  },
): Promise<boolean> {
  if (record.provider === null || record.provider === provider.name) return true
  const home = providers.get(record.provider)
  if (home === undefined || record.providerId === null || record.providerId === providerId) return false
  return (await home.describe(refOf(record), { signal })) !== undefined
}

function isBeingMade({ state }: VmDescriptor): boolean {
  return state === 'requested' || state === 'building' || state === 'starting'
}
