import type { VmDescriptor } from '../descriptor.ts'
import type { Machine, MachineStatus, ProviderResource } from '../provider/provider.ts'
import type { PartialRecord } from '../store.ts'
import type { HeldBack, Leak, ReconcileDecision } from './decision.ts'
import { matchMachines, type KnownVm, type Matched } from './match-machines.ts'
import type { ReconcileOptions } from './options.ts'

/** What one provider showed, or why it did not. */
export interface Listing {
  readonly provider: string
  /** The installation whose tag it was asked for. */
  readonly installation: string
  readonly outcome:
    | { readonly machines: readonly Machine[]; readonly resources: readonly ProviderResource[] | null }
    | { readonly failure: string }
}

export interface ReconcileInput {
  /** All records, read *before* the providers were asked, so that a machine made meanwhile is unknown and young. */
  readonly known: readonly KnownVm[]
  readonly partial: readonly PartialRecord[]
  readonly listings: readonly Listing[]
  /** Milliseconds since the Unix epoch, by the clock that also wrote the tags. */
  readonly now: number
  /** What a person allowed although it was too much: identifiers and names of a `hold_back`. */
  readonly confirmed?: ReadonlySet<string>
}

type Limits = Pick<ReconcileOptions, 'graceMs' | 'settleMs' | 'mode' | 'maxLeakDeletes' | 'maxLeakDeleteShare'>

/**
 * Compares what we know with what the providers show.
 *
 * - unknown, and older than the grace: a leak. Destroyed, or reported.
 * - known by a record of another provider: a leak only if that provider, in the same look, shows the machine that the record
 *   means, and it is not this one. Else only reported: two providers may see one account, or one may have been renamed.
 * - known, and not there: lost. What was to be destroyed is gone.
 * - known, and in error or stopped by itself: to be destroyed. Not one that somebody holds to look into it.
 * - without our tag: not looked at. A provider that could not list: nothing is decided about it.
 * - too many at once: none of them, until a person says so. It is more likely that we are wrong than that all are.
 *
 * Machines are matched by the provider's identifier, and by name (in any case) where a record has none yet.
 *
 * Source: vm-pool.md C10, C19.
 */
export function decideReconcile(input: ReconcileInput, options: Limits): ReconcileDecision[] {
  const { known, listings, partial, now } = input
  const views = listings.flatMap((listing) => viewOf(listing, known))
  return [
    ...listings.flatMap(({ provider, outcome }): ReconcileDecision[] =>
      'failure' in outcome ? [{ decide: 'skip_provider', provider, because: outcome.failure }] : [],
    ),
    ...views.flatMap((view): ReconcileDecision[] => {
      const scene: Scene = { ...input, ...view, views, confirmed: input.confirmed ?? NOTHING }
      return [
        ...leakedMachines(scene, options),
        ...leakedResources(scene, options),
        ...missing(scene, options),
        ...beyondUse(scene, options),
      ]
    }),
    ...partial.map((record) => partialRecord(record, now, options)),
  ]
}

/** What one provider showed, beside what we know. */
interface View {
  readonly provider: string
  /** Ours only. */
  readonly machines: readonly Machine[]
  readonly resources: readonly ProviderResource[]
  readonly matched: Matched
}

function viewOf({ provider, installation, outcome }: Listing, known: readonly KnownVm[]): View[] {
  if ('failure' in outcome) return []
  const machines = outcome.machines.filter(({ tags }) => tags?.installation === installation)
  const resources = (outcome.resources ?? []).filter(({ tags }) => tags?.installation === installation)
  return [{ provider, machines, resources, matched: matchMachines({ provider, known, machines }) }]
}

interface Scene extends ReconcileInput, View {
  /** Of all providers that could be asked. */
  readonly views: readonly View[]
  readonly confirmed: ReadonlySet<string>
}

const NOTHING: ReadonlySet<string> = new Set()

function leakedMachines(scene: Scene, options: Limits): ReconcileDecision[] {
  const { provider, machines, known, partial, matched, now } = scene
  const recordsOf = Map.groupBy(known, (vm) => vm.name.toLowerCase())
  const unreadable = new Set(partial.map(({ name }) => name.toLowerCase()))
  const leaks = machines.flatMap((machine): { machine: Machine; because: Leak }[] => {
    const { tags, status } = machine
    const name = tags!.vmName.toLowerCase()
    if (matched.owners.has(machine) || status === 'deleting' || unreadable.has(name)) return []
    const ageMs = now - tags!.createdAt
    const records = recordsOf.get(name)
    if (records !== undefined) {
      const elsewhere = records.some((vm) => !isAnother(machine, vm, scene))
      return ageMs > options.graceMs ? [{ machine, because: elsewhere ? 'claimed' : 'duplicate' }] : []
    }
    if (status === 'error') return ageMs > options.settleMs ? [{ machine, because: 'error' }] : []
    return ageMs > options.graceMs ? [{ machine, because: 'unknown' }] : []
  })
  const { report = [], destroy = [] } = Object.groupBy(leaks, ({ machine, because }) => {
    const doubtful = because === 'claimed' || matched.unclear.has(machine)
    return options.mode === 'report' || doubtful ? 'report' : 'destroy'
  })
  return [
    ...report.map((leak) => ({ decide: 'report_machine' as const, provider, ...leak })),
    ...unlessTooMany(scene, options, {
      what: 'leaked machines',
      of: machines.length,
      found: destroy.map((leak) => ({
        id: leak.machine.providerId,
        decision: { decide: 'destroy_machine', provider, ...leak },
      })),
    }),
  ]
}

/**
 * Whether a machine is certainly not the one that a record of its name means. Of its own provider that has been matched
 * already. Another provider must show that it has the one that is meant, under another identifier and address, and must not
 * see this one: two providers that see the same machines say nothing about whose they are.
 */
function isAnother(machine: Machine, vm: KnownVm, { provider, views }: Scene): boolean {
  if (vm.provider === null || vm.provider === provider) return true
  const home = views.find((view) => view.provider === vm.provider)
  const meant = home?.matched.machineOf.get(vm)
  if (home === undefined || meant === undefined || vm.providerId !== meant.providerId) return false
  if (meant.address !== null && meant.address === machine.address) return false
  return !home.machines.some(({ providerId }) => providerId === machine.providerId)
}

/** Those whose machine is neither known nor there. */
function leakedResources(scene: Scene, options: Limits): ReconcileDecision[] {
  const { provider, resources, machines, known, partial, now } = scene
  const alive = new Set([
    ...known.map(({ name }) => name.toLowerCase()),
    ...partial.map(({ name }) => name.toLowerCase()),
    ...machines.map(({ tags }) => tags!.vmName.toLowerCase()),
  ])
  const leaked = resources.filter(({ tags }) => {
    return !alive.has(tags!.vmName.toLowerCase()) && now - tags!.createdAt > options.graceMs
  })
  if (options.mode === 'report') return leaked.map((resource) => ({ decide: 'report_resource', provider, resource }))
  return unlessTooMany(scene, options, {
    what: 'leaked resources',
    of: resources.length,
    found: leaked.map((resource) => ({
      id: resource.providerId,
      decision: { decide: 'destroy_resource', provider, resource },
    })),
  })
}

/** Between these states and the next a machine may not exist, or not exist any more. */
const MAKING = new Set<VmDescriptor['state']>(['requested', 'building', 'starting'])
const ENDING = new Set<VmDescriptor['state']>(['terminating', 'stuck'])

function missing(scene: Scene, options: Limits): ReconcileDecision[] {
  const { provider, known, now, matched } = scene
  const here = known.filter((vm) => vm.provider === provider)
  const absent = here.filter((vm) => {
    const there = matched.machineOf.has(vm) || matched.undecided.has(vm)
    return !there && !MAKING.has(vm.state) && now - vm.stateSince > options.settleMs
  })
  const gone = absent.filter(({ state }) => ENDING.has(state))
  const lost = absent.filter(({ state }) => !ENDING.has(state))
  return [
    ...gone.map(({ name: vm }) => ({ decide: 'gone' as const, provider, vm })),
    ...unlessTooMany(scene, options, {
      what: 'lost machines',
      of: here.length,
      found: lost.map(({ name: vm }) => ({ id: vm, decision: { decide: 'lost', provider, vm } })),
    }),
  ]
}

/** Somebody looks into one that is held; one that is being reset or stands by is stopped on purpose. */
const LEFT_ALONE = new Set<VmDescriptor['state']>([...MAKING, ...ENDING, 'held'])
const MAY_BE_STOPPED = new Set<VmDescriptor['state']>(['standby', 'resetting'])

/** Why a machine in that state of ours cannot be used any more, if its provider shows it so; else null. */
export function beyondUseBecause(
  state: VmDescriptor['state'],
  status: MachineStatus | undefined,
): 'error' | 'stopped by itself' | null {
  if (LEFT_ALONE.has(state)) return null
  if (status === 'error') return 'error'
  return status === 'stopped' && !MAY_BE_STOPPED.has(state) ? 'stopped by itself' : null
}

function beyondUse(scene: Scene, options: Limits): ReconcileDecision[] {
  const { provider, known, now, matched } = scene
  const here = known.filter((vm) => vm.provider === provider)
  const found = here.flatMap((vm) => {
    const because = beyondUseBecause(vm.state, matched.machineOf.get(vm)?.status)
    if (because === null || now - vm.stateSince <= options.settleMs) return []
    return [{ id: vm.name, decision: { decide: 'terminate' as const, provider, vm: vm.name, because } }]
  })
  return unlessTooMany(scene, options, { what: 'machines in error', of: here.length, found })
}

/**
 * The decisions, or one that holds them all back. What a person has confirmed goes ahead and does not count.
 */
function unlessTooMany(
  { provider, confirmed }: Scene,
  { maxLeakDeletes, maxLeakDeleteShare }: Limits,
  {
    what,
    of,
    found,
  }: {
    what: HeldBack
    /** How many of them there are in all. */
    of: number
    found: readonly { readonly id: string; readonly decision: ReconcileDecision }[]
  },
): ReconcileDecision[] {
  const limit = Math.max(maxLeakDeletes, Math.floor(of * maxLeakDeleteShare))
  const unconfirmed = found.filter(({ id }) => !confirmed.has(id))
  if (unconfirmed.length <= limit) return found.map(({ decision }) => decision)
  return [
    ...found.filter(({ id }) => confirmed.has(id)).map(({ decision }) => decision),
    { decide: 'hold_back', provider, what, limit, ids: unconfirmed.map(({ id }) => id) },
  ]
}

function partialRecord({ name: vm, missing: lacks, firstSeenAt }: PartialRecord, now: number, options: Limits) {
  // A wrong index keeps others from their machines, and what it should say is known: there is nothing to wait for.
  const late = now - firstSeenAt > options.graceMs && !lacks.includes('adoption')
  const due = late || lacks.every((part) => part === 'index')
  return { decide: due ? ('repair_record' as const) : ('report_record' as const), vm, missing: lacks }
}
