import type { JsonObject } from '../../core/json.ts'

/**
 * Who a machine belongs to, written on the machine itself when it is made, in one act with its making. A machine without
 * them is foreign: nothing of ours ever touches it.
 *
 * Source: vm-pool.md C10.
 */
export interface MachineTags {
  /** The installation of Mainstay that made it. Two installations share a provider without seeing each other's. */
  readonly installation: string
  /** The pool that it was made for: the group's or label's id. */
  readonly pool: string
  /** The pool's name for it; the provider may know it under another. */
  readonly vmName: string
  /** When its making was asked for, in milliseconds since the Unix epoch, by our clock. */
  readonly createdAt: number
}

/**
 * - `building`: asked for, not usable yet
 * - `running`
 * - `stopped`: stopped or hibernated on purpose; `start` makes it run
 * - `error`: the provider gave it up
 * - `deleting`
 * - `unknown`: the provider does not say; never read as any of the others
 */
export type MachineStatus = 'building' | 'running' | 'stopped' | 'error' | 'deleting' | 'unknown'

/** A machine as its provider shows it. */
export interface Machine {
  /** The provider's own identifier; never used again for another machine. */
  readonly providerId: string
  readonly name: string
  /** An IPv4 or IPv6 address, null while it has none. */
  readonly address: string | null
  readonly status: MachineStatus
  /** Null where the provider cannot keep tags, or for a machine that is not ours. */
  readonly tags: MachineTags | null
  /** What the provider wants remembered with the machine and handed back to it, for example a reservation id. */
  readonly data: JsonObject
}

/** A machine that can be reached. */
export interface CreatedMachine extends Machine {
  readonly address: string
}

/** Which machine. The identifier decides where it is known; the name finds what a crash left without a record. */
export interface MachineRef {
  readonly name: string
  /** Null when it was never learned. */
  readonly providerId: string | null
  /** What more the caller remembers of it; hooks are told. */
  readonly address?: string | null
  readonly pool?: string
  readonly data?: JsonObject
}

/** What every question and act carries. */
export interface Asking {
  readonly signal: AbortSignal
}

export interface CreateRequest extends Asking {
  /** Unique in the installation. Asking again with the same name gives the same machine. */
  readonly name: string
  /** See {@link MachineTags.pool}. */
  readonly pool: string
  /** Milliseconds since the Unix epoch; goes into the tags. */
  readonly createdAt: number
  /** What the label says about its machines, in the provider's words: image, flavor, template. */
  readonly profile: Readonly<Record<string, string>>
  /**
   * Called once the provider took the request and gave it an identifier, before the machine runs, so that a crash
   * after this leaves a record. Creation waits for it, and is undone when it throws.
   */
  readonly onAccepted?: (accepted: { readonly providerId: string }) => Promise<void>
}

export type ResourceKind = 'volume' | 'address' | 'key_pair'

/** What was made along with machines and may outlive them. */
export interface ProviderResource {
  readonly kind: ResourceKind
  readonly providerId: string
  readonly name: string
  readonly tags: MachineTags | null
}

/** How much of something is used. A limit of null means that there is none; a null in its place, that nobody knows. */
export interface QuotaUse {
  readonly used: number
  readonly limit: number | null
}

export interface ProviderQuota {
  readonly machines: QuotaUse | null
  readonly vcpus: QuotaUse | null
  readonly memoryMib: QuotaUse | null
}

/** What a provider can do. What it cannot throws ProviderUnsupportedError. */
export interface ProviderCapabilities {
  /** Whether `list` and `describe` work. Without them leaks cannot be found, and a repeated creation cannot look first. */
  readonly list: boolean
  /** Whether machines carry our tags. Without them the reconciler only reports. */
  readonly tags: boolean
  /** Whether machines can be stopped and started again (C8 standby). */
  readonly standby: boolean
  /** Whether `reset` brings a machine back to how it was when new (C17). */
  readonly reset: boolean
  readonly quota: boolean
  /** What else carries our tags and is found by `listResources`. */
  readonly resources: readonly ResourceKind[]
}

/**
 * Where real machines come from: a script, libvirt hosts, Nova, a simulated cloud.
 *
 * A driver is built for one installation and shows and touches only what carries its tag. Everything thrown is a
 * `ProviderError` of `provider/errors.ts` with a class that says what to do next, or the signal's reason. An answer that
 * could not be had is an error, never an empty one. Every driver passes `providerConformance`.
 *
 * Source: vm-pool.md C10, C11.
 */
export interface Provider {
  /** What its configuration calls it; unique in the installation. */
  readonly name: string
  /** `simulated`, `libvirt`, `command`, … */
  readonly driver: string
  readonly installation: string
  readonly capabilities: ProviderCapabilities

  /**
   * Makes a machine and waits until it has an address.
   *
   * Looks before it makes: a machine of that name that is ours and not in error is taken over, whoever asked for it first; one
   * in error is destroyed and made anew. What a failed attempt left is destroyed before the error is thrown; where
   * that fails too, the error's `leftBehind` names it, and the reconciler finds it by its tags.
   *
   * @throws ProviderError
   */
  create(request: CreateRequest): Promise<CreatedMachine>
  /**
   * Destroys a machine and what was made with it; returns once it is gone, also when it never was.
   *
   * @throws ForeignMachineError when what bears the name is not ours; ProviderError
   */
  destroy(machine: MachineRef, asking: Asking): Promise<void>
  /** All machines with this installation's tag, in any state. @throws ProviderError when any of them may be missing */
  list(asking: Asking): Promise<readonly Machine[]>
  /** One of our machines; undefined only when the provider is sure that it does not exist. @throws ProviderError */
  describe(machine: MachineRef, asking: Asking): Promise<Machine | undefined>
  /** Makes a stopped machine run and waits for its address. @throws MachineNotFoundError, ProviderError */
  start(machine: MachineRef, asking: Asking): Promise<CreatedMachine>
  /** Stops a machine so that `start` is faster than `create`. @throws MachineNotFoundError, ProviderError */
  stop(machine: MachineRef, asking: Asking): Promise<void>
  /** Brings a machine back to how it was when new, running, with its name. @throws MachineNotFoundError, ProviderError */
  reset(machine: MachineRef, asking: Asking): Promise<CreatedMachine>
  /** @throws ProviderError */
  quota(asking: Asking): Promise<ProviderQuota>
  /** What carries this installation's tag and is not a machine. @throws ProviderError */
  listResources(asking: Asking): Promise<readonly ProviderResource[]>
  /** Removes one of them; returns once it is gone. @throws ForeignMachineError, ProviderError */
  destroyResource(resource: ProviderResource, asking: Asking): Promise<void>
  close(): Promise<void>
}
