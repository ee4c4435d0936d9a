export interface CandidateVm {
  readonly state: string
  readonly boundToUser: string | null
  readonly sandbox: string | null
}

export interface Wanted {
  readonly owner: string
  readonly sandbox: string
  /** Whether the owner may take a clean machine too; see `mayAcquireMore`. */
  readonly mayMore: boolean
}

/**
 * The machines that may serve a request, best first: those that are dirty for the same owner and sandbox, then, where the
 * owner's limit allows, the clean ones. Within both the given order is kept.
 *
 * Never one that is bound to somebody else, nor one of the same owner from another sandbox.
 *
 * Source: vm-pool.md A5.2.
 */
export function acquireCandidates<Vm extends CandidateVm>(vms: readonly Vm[], wanted: Wanted): Vm[] {
  const { owner, sandbox, mayMore } = wanted
  const ready = vms.filter(({ state }) => state === 'ready')
  const dirty = ready.filter((vm) => vm.boundToUser === owner && vm.sandbox === sandbox)
  return mayMore ? [...dirty, ...ready.filter((vm) => vm.boundToUser === null)] : dirty
}
