import type { Clock } from '../../../core/clock.ts'
import type { JsonObject } from '../../../core/json.ts'
import { SeededRandom, type Random } from '../../../core/random.ts'
import type { Machine, MachineStatus, MachineTags, ProviderQuota, ProviderResource, ResourceKind } from '../provider.ts'
import { CloudFaults, type CloudFaultPlan } from './faults.ts'

/** How long the simulated cloud takes, in milliseconds. Each time is lengthened or shortened by chance: see `spread`. */
export interface CloudLatency {
  /** To answer a question. */
  readonly askMs: number
  /** To take a request. */
  readonly requestMs: number
  /** From taking a creation to a machine that runs. */
  readonly buildMs: number
  readonly startMs: number
  readonly stopMs: number
  readonly destroyMs: number
  readonly resetMs: number
  /** Times are multiplied by a random factor between 1 - spread and 1 + spread. */
  readonly spread: number
  /** By how much the fault `slow` multiplies. */
  readonly slowFactor: number
}

export const DEFAULT_CLOUD_LATENCY: CloudLatency = {
  askMs: 0,
  requestMs: 0,
  buildMs: 2_000,
  startMs: 500,
  stopMs: 200,
  destroyMs: 200,
  resetMs: 500,
  spread: 0.2,
  slowFactor: 20,
}

export interface CloudLimits {
  /** Null is no limit. */
  readonly machines: number | null
  readonly vcpus: number | null
  readonly memoryMib: number | null
  /** Calls that it takes in a minute. */
  readonly callsPerMinute: number | null
}

export const NO_LIMITS: CloudLimits = { machines: null, vcpus: null, memoryMib: null, callsPerMinute: null }

export interface SimulatedCloudOptions {
  readonly clock: Clock
  readonly seed?: number
  readonly latency?: Partial<CloudLatency>
  readonly limits?: Partial<CloudLimits>
  readonly faults?: CloudFaultPlan
  /** What every machine brings along. */
  readonly resources?: readonly ResourceKind[]
}

/** A machine of the cloud. It changes by itself: what it becomes, and when, is known from the start. */
export interface CloudMachine {
  readonly id: string
  readonly name: string
  readonly address: string
  readonly vcpus: number
  readonly memoryMib: number
  readonly tags: MachineTags | null
  readonly data: JsonObject
  status: MachineStatus
  /** When it becomes `next`, in milliseconds of the cloud's clock; null when it stays as it is. */
  dueAt: number | null
  next: MachineStatus | 'gone'
}

/** How many destroyed machines a stale list still shows. */
const REMEMBERED = 100

/**
 * A cloud in memory, shared by the drivers of several installations and by whoever else has machines there. The same
 * seed and the same calls at the same times give the same machines.
 */
export class SimulatedCloud {
  readonly clock: Clock
  readonly random: Random
  readonly faults: CloudFaults
  readonly latency: CloudLatency
  readonly resourceKinds: readonly ResourceKind[]
  #limits: CloudLimits
  readonly #machines = new Map<string, CloudMachine>()
  readonly #idsByName = new Map<string, Set<string>>()
  #vcpus = 0
  #memoryMib = 0
  readonly #resources = new Map<string, ProviderResource>()
  readonly #destroyed: Machine[] = []
  #made = 0
  #calls = 0
  #minute = 0

  constructor({ clock, seed = 1, latency, limits, faults = {}, resources = [] }: SimulatedCloudOptions) {
    this.clock = clock
    this.random = new SeededRandom(seed)
    this.faults = new CloudFaults(faults, new SeededRandom(seed + 1))
    this.latency = { ...DEFAULT_CLOUD_LATENCY, ...latency }
    this.resourceKinds = resources
    this.#limits = { ...NO_LIMITS, ...limits }
  }

  get limits(): CloudLimits {
    return this.#limits
  }

  setLimits(limits: Partial<CloudLimits>): void {
    this.#limits = { ...this.#limits, ...limits }
  }

  /** A duration as chance makes it. */
  durationMs(ms: number): number {
    const { spread } = this.latency
    return Math.round(ms * (1 - spread + this.random.next() * 2 * spread))
  }

  /** Counts a call. @returns how long to wait when there were too many in this minute, in ms; else undefined */
  countCall(): number | undefined {
    const { callsPerMinute } = this.#limits
    const now = this.clock.now()
    const minute = Math.floor(now / 60_000)
    if (minute !== this.#minute) [this.#minute, this.#calls] = [minute, 0]
    this.#calls += 1
    return callsPerMinute !== null && this.#calls > callsPerMinute ? (minute + 1) * 60_000 - now : undefined
  }

  /** Puts a machine into the cloud as it is: somebody else's, or one of ours that nobody remembers. */
  add(fields: { name: string; tags?: MachineTags | null } & Partial<Omit<CloudMachine, 'id' | 'name'>>): CloudMachine {
    this.#made += 1
    const machine: CloudMachine = {
      id: `sim-${String(this.#made).padStart(6, '0')}`,
      address: `10.${(this.#made >> 16) & 255}.${(this.#made >> 8) & 255}.${this.#made & 255}`,
      vcpus: 1,
      memoryMib: 1024,
      tags: null,
      data: {},
      status: 'running',
      dueAt: null,
      next: 'running',
      ...fields,
    }
    this.#machines.set(machine.id, machine)
    this.#idsByName.set(machine.name, (this.#idsByName.get(machine.name) ?? new Set()).add(machine.id))
    this.#vcpus += machine.vcpus
    this.#memoryMib += machine.memoryMib
    for (const kind of this.resourceKinds) {
      this.addResource({ kind, providerId: `${machine.id}-${kind}`, name: machine.name, tags: machine.tags })
    }
    return machine
  }

  addResource(resource: ProviderResource): void {
    this.#resources.set(resource.providerId, resource)
  }

  removeResource(id: string): void {
    this.#resources.delete(id)
  }

  resources(): ProviderResource[] {
    return [...this.#resources.values()]
  }

  /** All that is there now. */
  machines(): CloudMachine[] {
    for (const machine of this.#machines.values()) this.#settle(machine)
    return [...this.#machines.values()]
  }

  byId(id: string): CloudMachine | undefined {
    const machine = this.#machines.get(id)
    if (machine !== undefined) this.#settle(machine)
    return this.#machines.get(id)
  }

  /** All of that name: a cloud does not mind two. */
  byName(name: string): CloudMachine[] {
    return [...(this.#idsByName.get(name) ?? [])].flatMap((id) => this.byId(id) ?? [])
  }

  /** Starts a change that ends after `ms`. */
  become(machine: CloudMachine, during: MachineStatus, next: MachineStatus | 'gone', ms: number): void {
    machine.status = during
    machine.next = next
    machine.dueAt = this.clock.now() + ms
    this.#settle(machine)
  }

  /** Takes a machine away without anybody having asked, with or without what it brought along. */
  remove(machine: CloudMachine, { withResources = true }: { withResources?: boolean } = {}): void {
    if (!this.#machines.delete(machine.id)) return
    const namesakes = this.#idsByName.get(machine.name)
    namesakes?.delete(machine.id)
    if (namesakes?.size === 0) this.#idsByName.delete(machine.name)
    this.#vcpus -= machine.vcpus
    this.#memoryMib -= machine.memoryMib
    this.#destroyed.push(this.view(machine))
    if (this.#destroyed.length > REMEMBERED) this.#destroyed.shift()
    if (!withResources) return
    for (const kind of this.resourceKinds) this.#resources.delete(`${machine.id}-${kind}`)
  }

  /** What was destroyed lately, as it was before. */
  destroyed(): readonly Machine[] {
    return this.#destroyed
  }

  view(machine: CloudMachine): Machine {
    const { id, name, address, status, tags, data } = machine
    return { providerId: id, name, address: status === 'building' ? null : address, status, tags, data }
  }

  used(): ProviderQuota {
    const { machines, vcpus, memoryMib } = this.#limits
    return {
      machines: { used: this.#machines.size, limit: machines },
      vcpus: { used: this.#vcpus, limit: vcpus },
      memoryMib: { used: this.#memoryMib, limit: memoryMib },
    }
  }

  #settle(machine: CloudMachine): void {
    if (machine.dueAt === null || this.clock.now() < machine.dueAt) return
    machine.dueAt = null
    if (machine.next === 'gone') this.remove(machine)
    else machine.status = machine.next
  }
}
