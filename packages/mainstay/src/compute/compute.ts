import type { FenceCertificate } from './fence-certificate.ts'

export type HostName = string

/** What a guest is doing, in Nova's words (`vm_state`); drivers translate. */
export type InstanceState =
  | 'active'
  | 'stopped'
  | 'paused'
  | 'suspended'
  | 'rescued'
  | 'building'
  | 'resized'
  | 'error'
  | 'unknown'

export interface Instance {
  /** Lower case with dashes. */
  readonly uuid: string
  readonly name: string
  /** Where it runs, or where it last ran. */
  readonly host: HostName
  readonly state: InstanceState
  /** What is being done to it right now (`task_state`), or null. */
  readonly taskState: string | null
  readonly locked: boolean
  readonly metadata: Readonly<Record<string, string>>
  readonly memoryMib: number
  readonly vcpus: number
  /** Why it cannot run anywhere else (a disk of its host, a device of its host), or null when it can. */
  readonly boundBecause: string | null
  readonly projectId: string | null
}

export interface ComputeHost {
  readonly name: HostName
  /** Whether its compute service answers; `unknown` is never read as `up` or `down`. */
  readonly state: 'up' | 'down' | 'unknown'
  /** Whether new guests may be placed on it. */
  readonly enabled: boolean
  readonly disabledReason: string | null
  readonly memoryMib: number
  readonly freeMemoryMib: number
  readonly vcpus: number
}

/** A restart of a guest on another host, as the platform remembers it. */
export interface InstanceMove {
  /** The key of the act that asked for it. A move that is `running` is carried on by the same act, under this key. */
  readonly key: string
  readonly instance: string
  readonly source: HostName
  readonly target: HostName | null
  /** Milliseconds since the Unix epoch. */
  readonly startedAt: number
  readonly state: 'running' | 'done' | 'failed'
  readonly message: string | null
}

/** What every question carries. */
export interface Asking {
  readonly signal: AbortSignal
}

/** What every act carries: who acts, so that a repeat or a late owner is recognised. */
export interface Acting extends Asking {
  /** The same for every repeat of the same act. */
  readonly key: string
  /** The fencing token of the workflow that acts; it grows with every owner. */
  readonly fence: number
}

/** Something changed; whoever cares looks again. */
export interface ComputeChange {
  readonly host: HostName
  /** Null when the host itself changed. */
  readonly instance: string | null
}

/**
 * The platform that runs the guests: Nova, libvirt hosts, a simulated fleet.
 *
 * Drivers throw the errors of `compute/errors.ts`. Acts are asked for, not awaited: `start` returns once the platform
 * took the request, `waitForInstance` tells when it is true. Every driver passes `computeConformance`.
 */
export interface Compute {
  /** `simulated`, `libvirt`, … */
  readonly driver: string
  /** Whether the platform chooses the host itself when `evacuate` names no target. */
  readonly schedules: boolean

  listHosts(asking: Asking): Promise<ComputeHost[]>
  findHost(name: HostName, asking: Asking): Promise<ComputeHost | undefined>
  /**
   * All guests whose place is that host, also while it is dead. In the platform's own order.
   *
   * A guest whose restart elsewhere has begun and is not known to have ended still has its place at the host that it
   * leaves (`taskState` is `rebuilding`): whoever looks after that host must not lose it.
   */
  listInstances(host: HostName, asking: Asking): Promise<Instance[]>
  findInstance(uuid: string, asking: Asking): Promise<Instance | undefined>

  /** Keeps new guests away from a host. Doing it twice is harmless. */
  disableHost(host: HostName, options: { reason: string }, acting: Acting): Promise<void>
  enableHost(host: HostName, acting: Acting): Promise<void>

  /** Starts a stopped guest where it is. @throws InstanceStateError when it is not stopped */
  start(instance: string, acting: Acting): Promise<void>
  /** Stops a guest. @throws InstanceStateError when it is stopped already */
  stop(instance: string, acting: Acting): Promise<void>
  /** Tells the platform in which state a guest is to be regarded. */
  resetState(instance: string, state: 'active' | 'error', acting: Acting): Promise<void>

  /**
   * Starts a guest of a dead host on another.
   *
   * A repeat with the same key is the same act: it carries on what an earlier process left undone, on the target that
   * was named first, and does nothing where nothing is missing. To go on it needs a certificate that holds then.
   *
   * @param target the host, or undefined where the platform schedules
   * @throws FenceUnprovenError unless the certificate proves the guest's host dead now
   * @throws CapacityError, InstanceBoundError, InstanceNotFoundError, HostNotFoundError
   */
  evacuate(
    instance: string,
    options: { target: HostName | undefined; certificate: FenceCertificate },
    acting: Acting,
  ): Promise<void>
  /** Restarts on other hosts since that time, newest first: looked at before an act is repeated. */
  listMoves(instance: string, options: { sinceMs: number }, asking: Asking): Promise<InstanceMove[]>

  /**
   * Waits until a guest is as it should be, woken by the platform's own news where it has any.
   *
   * @param until says whether the guest is as it should be; may throw to give up early
   * @throws TimeoutError after `timeoutMs`, InstanceNotFoundError
   */
  waitForInstance(
    instance: string,
    until: (instance: Instance) => boolean,
    options: { timeoutMs: number; pollMs: number; signal: AbortSignal },
  ): Promise<Instance>

  /** Calls `listener` on every change that the platform tells of, until disposed. */
  watch(listener: (change: ComputeChange) => void): Disposable

  close(): Promise<void>
}
