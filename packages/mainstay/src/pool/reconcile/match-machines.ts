import type { VmDescriptor } from '../descriptor.ts'
import type { Machine } from '../provider/provider.ts'

/** What a record says that matters here. */
export type KnownVm = Pick<VmDescriptor, 'name' | 'state' | 'stateSince' | 'provider' | 'providerId'>

export interface Matched {
  readonly machineOf: ReadonlyMap<KnownVm, Machine>
  readonly owners: ReadonlyMap<Machine, KnownVm>
  /** Several could be the machine of one record, and nothing tells them apart: none of them may be touched. */
  readonly unclear: ReadonlySet<Machine>
  /** The records that one of those belongs to. */
  readonly undecided: ReadonlySet<KnownVm>
}

/**
 * Which machine of a provider each record means.
 *
 * By the provider's identifier; where that is not known, or nothing has it (any more), by the name, if only one machine has
 * that. Records of other providers mean nothing here, except one without a provider: it was adopted by hand.
 *
 * @param machines those with our tag
 */
export function matchMachines({
  provider,
  known,
  machines,
}: {
  readonly provider: string
  readonly known: readonly KnownVm[]
  readonly machines: readonly Machine[]
}): Matched {
  const byName = Map.groupBy(machines, ({ tags, name }) => (tags?.vmName ?? name).toLowerCase())
  const machineOf = new Map<KnownVm, Machine>()
  const owners = new Map<Machine, KnownVm>()
  const unclear = new Set<Machine>()
  const undecided = new Set<KnownVm>()
  const candidates = known.filter((vm) => vm.provider === null || vm.provider === provider)
  const byProviderId = Map.groupBy(candidates, ({ providerId }) => providerId)
  const match = (vm: KnownVm, machine: Machine): void => {
    machineOf.set(vm, machine)
    owners.set(machine, vm)
  }
  // All identifiers first: a machine that is known by its own is not looked at by a name that it may share.
  for (const machine of machines) {
    const claimants = byProviderId.get(machine.providerId) ?? []
    const [owner, ...more] = claimants.toSorted((a, b) => compareClaims(a, b, machine))
    if (owner !== undefined) match(owner, machine)
    // Two records of one machine: it is there, whosever it is.
    for (const vm of more) undecided.add(vm)
  }
  for (const vm of candidates.filter((each) => !machineOf.has(each) && !undecided.has(each))) {
    const namesakes = (byName.get(vm.name.toLowerCase()) ?? []).filter((each) => !owners.has(each))
    if (namesakes.length === 1) match(vm, namesakes[0]!)
    if (namesakes.length <= 1) continue
    undecided.add(vm)
    for (const each of namesakes) unclear.add(each)
  }
  return { machineOf, owners, unclear, undecided }
}

/** Who of two that name the same machine means it: the one that names this provider, then the one of its name. */
function compareClaims(a: KnownVm, b: KnownVm, { tags }: Machine): number {
  const doubts = ({ provider, name }: KnownVm): number => (provider === null ? 2 : 0) + (name === tags?.vmName ? 0 : 1)
  return doubts(a) - doubts(b) || (a.name < b.name ? -1 : 1)
}
