import type { VmDescriptor } from './descriptor.ts'

/** What came of looking at a machine. */
export interface CheckOutcome {
  readonly passed: boolean
  /** Why it did not pass; empty when it did. */
  readonly reason: string
}

/**
 * Looks at a machine once. What it throws means that it could not look at all, which says nothing of the machine.
 *
 * Source: vm-pool.md C7.
 */
export type CheckMachine = (vm: VmDescriptor, asking: { readonly signal: AbortSignal }) => Promise<CheckOutcome>

/** How the machines of one group are made and looked at: what only the processes need to know that do it. */
export interface GroupSetup {
  readonly group: string
  /** Names of the providers that may make them. */
  readonly providers: readonly string[]
  /** What the providers are told of them: image, flavor, template. */
  readonly profile: Readonly<Record<string, string>>
  readonly check: CheckMachine
  /** The longest that one check may take, in milliseconds. */
  readonly checkTimeoutMs: number
  /** Whether a machine is checked once more when it is handed over. */
  readonly checkOnAcquire: boolean
}

/** The setups by group. Replaced as a whole when the configuration is read again. */
export interface PoolSetup {
  readonly groups: ReadonlyMap<string, GroupSetup>
}
