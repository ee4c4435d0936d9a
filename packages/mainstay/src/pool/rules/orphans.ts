/** A machine as its provider shows it. Times in the caller's unit: seconds in compat mode. */
export interface ListedMachine {
  readonly name: string
  /** Whether the provider says that it is broken. */
  readonly inError: boolean
  /** Null when the provider does not say. */
  readonly createdAt: number | null
}

/** A machine as the pool knows it. */
export interface PooledMachine {
  readonly name: string
  readonly state: string
}

export interface OrphanLimits {
  /** How old an unknown machine must be: one that is being spawned is not known yet. In the unit of the times. */
  readonly grace: number
  /** Whether machines that the pool knows and that are ready go too, on an operator's request. */
  readonly alsoReady: boolean
}

export interface Orphan<Machine extends ListedMachine> {
  readonly machine: Machine
  readonly because: 'error' | 'unknown' | 'ready'
}

/**
 * The machines of a provider that should not be there. Names are compared without regard to case, as providers may
 * change it. An unknown machine of exactly the age of the grace is left, and so is one whose age nobody knows.
 *
 * @param now in the unit of the times
 *
 * Source: vm-pool.md A10.
 */
export function findOrphans<Machine extends ListedMachine>(
  machines: readonly Machine[],
  pool: readonly PooledMachine[],
  now: number,
  { grace, alsoReady }: OrphanLimits,
): Orphan<Machine>[] {
  const states = new Map(pool.map(({ name, state }) => [name.toLowerCase(), state]))
  return machines.flatMap((machine): Orphan<Machine>[] => {
    if (machine.inError) return [{ machine, because: 'error' }]
    const state = states.get(machine.name.toLowerCase())
    if (state === undefined) {
      const { createdAt } = machine
      return createdAt !== null && now - createdAt > grace ? [{ machine, because: 'unknown' }] : []
    }
    return alsoReady && state === 'ready' ? [{ machine, because: 'ready' }] : []
  })
}
