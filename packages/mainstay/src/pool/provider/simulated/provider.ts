import { KeyedMutex } from '../../../compute/libvirt/keyed-mutex.ts'
import {
  ForeignMachineError,
  MachineNotFoundError,
  ProviderQuotaError,
  ProviderRateLimitError,
  ProviderTransientError,
  providerError,
} from '../errors.ts'
import type {
  Asking,
  CreateRequest,
  CreatedMachine,
  Machine,
  MachineRef,
  Provider,
  ProviderCapabilities,
  ProviderQuota,
  ProviderResource,
} from '../provider.ts'
import { findMachine, mustBeOurs, takeOver } from '../take-over.ts'
import type { CloudMachine, SimulatedCloud } from './cloud.ts'
import type { CloudCall, CloudFault } from './faults.ts'

export interface SimulatedProviderOptions {
  readonly name: string
  readonly installation: string
  readonly cloud: SimulatedCloud
  readonly settings?: Partial<SimulatedProviderSettings>
}

export interface SimulatedProviderSettings {
  /** The longest that making, starting or resetting a machine may take. */
  readonly createTimeoutMs: number
  /** How often a machine that is on its way is looked at. */
  readonly pollMs: number
}

export const DEFAULT_SIMULATED_PROVIDER_SETTINGS: SimulatedProviderSettings = {
  createTimeoutMs: 600_000,
  pollMs: 100,
}

/** One installation's access to a simulated cloud. `profile.vcpus` and `profile.memory_mib` size a machine. */
export class SimulatedProvider implements Provider {
  readonly driver = 'simulated'
  readonly name: string
  readonly installation: string
  readonly capabilities: ProviderCapabilities
  readonly cloud: SimulatedCloud
  readonly #settings: SimulatedProviderSettings
  readonly #creating = new KeyedMutex()

  constructor({ name, installation, cloud, settings }: SimulatedProviderOptions) {
    this.name = name
    this.installation = installation
    this.cloud = cloud
    this.#settings = { ...DEFAULT_SIMULATED_PROVIDER_SETTINGS, ...settings }
    this.capabilities = {
      list: true,
      tags: true,
      standby: true,
      reset: true,
      quota: true,
      resources: ['volume', 'address', 'key_pair'],
    }
  }

  async create(request: CreateRequest): Promise<CreatedMachine> {
    return await this.#creating.run(request.name, async () => {
      return (await this.#standing(request)) ?? (await this.#make(request))
    })
  }

  async destroy(ref: MachineRef, { signal }: Asking): Promise<void> {
    const fault = await this.#call('destroy', ref.name, this.cloud.latency.requestMs, signal)
    const machine = this.#find(ref)
    if (machine === undefined) return
    mustBeOurs(this, this.cloud.view(machine))
    if (fault === 'lie') return
    if (fault === 'leave_resources') this.cloud.remove(machine, { withResources: false })
    else this.cloud.become(machine, 'deleting', 'gone', this.#durationMs(this.cloud.latency.destroyMs, fault))
    await this.#until(machine, () => this.cloud.byId(machine.id) === undefined, signal)
    this.#loseAnswer(fault, `destroying ${ref.name}`)
  }

  async list({ signal }: Asking): Promise<readonly Machine[]> {
    const fault = await this.#call('list', undefined, this.cloud.latency.askMs, signal)
    if (fault === 'lie') return []
    const all = this.cloud
      .machines()
      .map((machine) => this.cloud.view(machine))
      .filter(({ tags }) => tags?.installation === this.installation)
    if (fault === 'partial') return all.filter((_, index) => index % 2 === 0)
    if (fault !== 'stale') return all
    return [...all, ...this.cloud.destroyed().filter(({ tags }) => tags?.installation === this.installation)]
  }

  async describe(ref: MachineRef, { signal }: Asking): Promise<Machine | undefined> {
    const fault = await this.#call('describe', ref.name, this.cloud.latency.askMs, signal)
    const machine = this.#find(ref)
    if (machine === undefined || fault === 'lie') return undefined
    return machine.tags?.installation === this.installation ? this.cloud.view(machine) : undefined
  }

  async start(ref: MachineRef, asking: Asking): Promise<CreatedMachine> {
    return await this.#run('start', ref, asking)
  }

  async stop(ref: MachineRef, { signal }: Asking): Promise<void> {
    const fault = await this.#call('stop', ref.name, this.cloud.latency.requestMs, signal)
    const machine = this.#ours(ref, 'stop')
    this.cloud.become(machine, machine.status, 'stopped', this.#durationMs(this.cloud.latency.stopMs, fault))
    await this.#until(machine, () => machine.status === 'stopped', signal)
    this.#loseAnswer(fault, `stopping ${ref.name}`)
  }

  async reset(ref: MachineRef, asking: Asking): Promise<CreatedMachine> {
    return await this.#run('reset', ref, asking)
  }

  async quota({ signal }: Asking): Promise<ProviderQuota> {
    await this.#call('quota', undefined, this.cloud.latency.askMs, signal)
    return this.cloud.used()
  }

  async listResources({ signal }: Asking): Promise<readonly ProviderResource[]> {
    const fault = await this.#call('list_resources', undefined, this.cloud.latency.askMs, signal)
    if (fault === 'lie') return []
    return this.cloud.resources().filter(({ tags }) => tags?.installation === this.installation)
  }

  async destroyResource(resource: ProviderResource, { signal }: Asking): Promise<void> {
    const fault = await this.#call('destroy_resource', resource.name, this.cloud.latency.requestMs, signal)
    const found = this.cloud.resources().find(({ providerId }) => providerId === resource.providerId)
    if (found === undefined) return
    if (found.tags?.installation !== this.installation) {
      throw new ForeignMachineError(this.name, `The ${found.kind} ${found.name} at provider ${this.name} is not ours.`)
    }
    if (fault !== 'lie') this.cloud.removeResource(resource.providerId)
  }

  async close(): Promise<void> {
    // The cloud is the caller's.
  }

  async #standing(request: CreateRequest): Promise<CreatedMachine | undefined> {
    return await takeOver(request, {
      provider: this,
      clock: this.cloud.clock,
      look: async (ref, { signal }) => {
        await this.#call('describe', ref.name, this.cloud.latency.askMs, signal)
        const machine = this.#find(ref)
        return machine === undefined ? undefined : this.cloud.view(machine)
      },
      start: async (machine, asking) => await this.start(machine, asking),
      destroy: async (machine, asking) => await this.destroy(machine, asking),
      ...this.#settings,
    })
  }

  async #make(request: CreateRequest): Promise<CreatedMachine> {
    const { name, pool, createdAt, profile, signal, onAccepted } = request
    const { cloud, installation } = this
    const fault = await this.#call('create', name, cloud.latency.requestMs, signal)
    const [vcpus, memoryMib] = [Number(profile['vcpus'] ?? 1), Number(profile['memory_mib'] ?? 1024)]
    this.#checkRoom(name, vcpus, memoryMib)
    const tags = { installation, pool, vmName: name, createdAt }
    const machine = cloud.add({ name, tags, vcpus, memoryMib })
    const next = fault === 'fail_later' ? 'error' : 'running'
    cloud.become(machine, 'building', next, this.#durationMs(cloud.latency.buildMs, fault))
    try {
      this.#loseAnswer(fault, `making ${name}`)
      await onAccepted?.({ providerId: machine.id })
      return await this.#untilRunning(machine, signal)
    } catch (error) {
      // What we were told nothing of, and what we are told to leave, stays for whoever looks for it.
      if (fault !== 'lost_answer' && !signal.aborted) cloud.remove(machine)
      throw error
    }
  }

  async #run(call: 'start' | 'reset', ref: MachineRef, { signal }: Asking): Promise<CreatedMachine> {
    const { latency } = this.cloud
    const fault = await this.#call(call, ref.name, latency.requestMs, signal)
    const machine = this.#ours(ref, call)
    const during = call === 'reset' ? 'building' : machine.status
    const ms = call === 'reset' ? latency.resetMs : latency.startMs
    this.cloud.become(machine, during, fault === 'fail_later' ? 'error' : 'running', this.#durationMs(ms, fault))
    this.#loseAnswer(fault, `the ${call} of ${ref.name}`)
    return await this.#untilRunning(machine, signal)
  }

  async #untilRunning(machine: CloudMachine, signal: AbortSignal): Promise<CreatedMachine> {
    await this.#until(machine, () => machine.status === 'running' || machine.status === 'error', signal)
    if (machine.status !== 'running' || this.cloud.byId(machine.id) === undefined) {
      throw this.#transient(`the machine ${machine.name} did not come to run`)
    }
    return { ...this.cloud.view(machine), address: machine.address }
  }

  /** Waits for a change that was started; its end is known. */
  async #until(machine: CloudMachine, done: () => boolean, signal: AbortSignal): Promise<void> {
    const { clock } = this.cloud
    const giveUpAt = clock.now() + this.#settings.createTimeoutMs
    for (let seen = this.cloud.byId(machine.id); seen !== undefined && !done(); seen = this.cloud.byId(machine.id)) {
      if (clock.now() >= giveUpAt) throw this.#transient(`the machine ${machine.name} stayed ${machine.status}`)
      const waitMs = seen.dueAt === null ? this.#settings.pollMs : seen.dueAt - clock.now()
      await clock.sleep(Math.max(1, waitMs), { signal })
    }
  }

  /** The way to the cloud: it takes time, it may be too much, and it goes wrong as ordered. */
  async #call(
    call: CloudCall,
    machine: string | undefined,
    ms: number,
    signal: AbortSignal,
  ): Promise<CloudFault | undefined> {
    signal.throwIfAborted()
    const { cloud } = this
    const fault = cloud.faults.next(call, machine)
    if (fault === 'hang') await untilAborted(signal)
    await cloud.clock.sleep(this.#durationMs(ms, fault), { signal })
    const retryAfterMs = cloud.countCall()
    if (retryAfterMs !== undefined) {
      throw new ProviderRateLimitError(this.name, `Provider ${this.name} was asked too often.`, { retryAfterMs })
    }
    switch (fault) {
      case 'quota':
      case 'capacity':
      case 'rate_limit':
      case 'authentication':
      case 'invalid':
      case 'transient':
        throw providerError(fault, this.name, `Provider ${this.name} refuses to ${call}: a simulated ${fault} error.`)
      default:
        return fault
    }
  }

  #durationMs(ms: number, fault: CloudFault | undefined): number {
    const { cloud } = this
    return cloud.durationMs(fault === 'slow' ? ms * cloud.latency.slowFactor : ms)
  }

  #loseAnswer(fault: CloudFault | undefined, what: string): void {
    if (fault === 'lost_answer') throw this.#transient(`the answer to ${what} was lost`)
  }

  #checkRoom(name: string, vcpus: number, memoryMib: number): void {
    const used = this.cloud.used()
    const wanted = { machines: 1, vcpus, memoryMib }
    for (const kind of ['machines', 'vcpus', 'memoryMib'] as const) {
      const { used: now, limit } = used[kind]!
      if (limit === null || now + wanted[kind] <= limit) continue
      throw new ProviderQuotaError(
        this.name,
        `Provider ${this.name} has no room for ${name}: ${now} of ${limit} ${kind} are used and ${wanted[kind]} more are wanted.`,
      )
    }
  }

  #find(ref: MachineRef): CloudMachine | undefined {
    const candidates = ref.providerId === null ? this.cloud.byName(ref.name) : [this.cloud.byId(ref.providerId)]
    const views = candidates.flatMap((each) => (each === undefined ? [] : this.cloud.view(each)))
    const found = findMachine(views, ref, this)
    return found === undefined ? undefined : this.cloud.byId(found.providerId)
  }

  #ours(ref: MachineRef, what: string): CloudMachine {
    const machine = this.#find(ref)
    if (machine?.tags?.installation === this.installation) return machine
    throw new MachineNotFoundError(this.name, `Provider ${this.name} has no machine ${ref.name} to ${what}.`)
  }

  #transient(what: string): ProviderTransientError {
    return new ProviderTransientError(this.name, `Provider ${this.name}: ${what}.`)
  }
}

async function untilAborted(signal: AbortSignal): Promise<never> {
  const aborted = Promise.withResolvers<never>()
  const onAbort = (): void => aborted.reject(signal.reason as Error)
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  return await aborted.promise
}
