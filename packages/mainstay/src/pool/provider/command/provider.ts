import { isIP } from 'node:net'

import type { Clock } from '../../../core/clock.ts'
import { KeyedMutex } from '../../../compute/libvirt/keyed-mutex.ts'
import {
  ForeignMachineError,
  MachineNotFoundError,
  ProviderError,
  ProviderTransientError,
  leftBehind,
} from '../errors.ts'
import type {
  Asking,
  CreateRequest,
  CreatedMachine,
  Machine,
  MachineRef,
  MachineTags,
  Provider,
  ProviderCapabilities,
  ProviderQuota,
  ProviderResource,
} from '../provider.ts'
import { findMachine, mustBeOurs, takeOver } from '../take-over.ts'
import { createEnvironment, machineEnvironment, resourceEnvironment } from './hook-environment.ts'
import { findPrintedAddress, findPrintedId, readPrintedMachine } from './hook-output.ts'
import { Hooks, type HookName } from './hooks.ts'
import { readMachine, readMachines, readQuota, readResources } from './machine-json.ts'
import type { CommandProviderOptions } from './options.ts'
import { HookFailedError } from './run-hook.ts'

/**
 * Machines that programs of the user make: scripts, playbooks, a cloud's own command line tool.
 *
 * What a hook has to read, print and return is in docs/how-to/pool-providers.md. With neither a list nor a describe hook
 * nothing can be looked at: a repeated creation then runs the create hook again, and the hook itself must not make a
 * second machine of the same name.
 *
 * Source: vm-pool.md A8, C11.
 */
export class CommandProvider implements Provider {
  readonly driver = 'command'
  readonly name: string
  readonly installation: string
  readonly capabilities: ProviderCapabilities
  readonly #clock: Clock
  readonly #hooks: Hooks
  /** Two creations of one name must not both look before either makes. */
  readonly #creating = new KeyedMutex()

  constructor(options: CommandProviderOptions) {
    this.name = options.name
    this.installation = options.installation
    this.#clock = options.clock
    this.#hooks = new Hooks(options)
    const has = (...names: readonly HookName[]): boolean => names.every((each) => this.#hooks.has(each))
    this.capabilities = {
      list: has('list'),
      tags: has('list'),
      standby: has('start', 'stop'),
      reset: has('reset'),
      quota: has('quota'),
      resources: has('listResources', 'destroyResource') ? ['volume', 'address', 'key_pair'] : [],
    }
  }

  async create(request: CreateRequest): Promise<CreatedMachine> {
    return await this.#creating.run(request.name, async () => {
      return (await this.#standing(request)) ?? (await this.#make(request))
    })
  }

  async destroy(machine: MachineRef, { signal }: Asking): Promise<void> {
    // Listing everything for one machine is worth it only where its name alone says which one.
    if (this.#hooks.has('describe') || (this.#hooks.has('list') && machine.providerId === null)) {
      const seen = await this.#look(machine, signal)
      if (seen !== undefined) mustBeOurs(this, seen)
    }
    await this.#hooks.run('destroy', machineEnvironment(machine), signal)
  }

  async list({ signal }: Asking): Promise<readonly Machine[]> {
    return (await this.#listAll(signal)).filter((machine) => this.#isOurs(machine))
  }

  async describe(machine: MachineRef, { signal }: Asking): Promise<Machine | undefined> {
    const seen = await this.#look(machine, signal)
    return seen !== undefined && this.#isOurs(seen) ? seen : undefined
  }

  async start(machine: MachineRef, asking: Asking): Promise<CreatedMachine> {
    return await this.#run('start', machine, asking)
  }

  async stop(machine: MachineRef, asking: Asking): Promise<void> {
    await this.#mustExist('stop', machine, asking)
    await this.#hooks.run('stop', machineEnvironment(machine), asking.signal)
  }

  async reset(machine: MachineRef, asking: Asking): Promise<CreatedMachine> {
    return await this.#run('reset', machine, asking)
  }

  async quota({ signal }: Asking): Promise<ProviderQuota> {
    const { stdout } = await this.#hooks.run('quota', {}, signal)
    return await this.#hooks.failuresOf(() => readQuota(stdout))
  }

  async listResources({ signal }: Asking): Promise<readonly ProviderResource[]> {
    const { stdout } = await this.#hooks.run('listResources', {}, signal)
    const resources = await this.#hooks.failuresOf(() => readResources(stdout))
    return resources.filter(({ tags }) => tags?.installation === this.installation)
  }

  async destroyResource(resource: ProviderResource, { signal }: Asking): Promise<void> {
    if (resource.tags?.installation !== this.installation) {
      throw new ForeignMachineError(
        this.name,
        `The ${resource.kind} ${resource.name} at provider ${this.name} is not ours.`,
      )
    }
    await this.#hooks.run('destroyResource', resourceEnvironment(resource), signal)
  }

  async close(): Promise<void> {
    // Hooks end with the signals of those who run them; nothing else is open.
  }

  /** What an earlier attempt made, where there is a way to look. */
  async #standing(request: CreateRequest): Promise<CreatedMachine | undefined> {
    if (!this.#canLook()) return undefined
    return await takeOver(request, {
      provider: this,
      clock: this.#clock,
      look: async (machine, { signal }) => await this.#look(machine, signal),
      start: this.#hooks.has('start')
        ? async (machine, asking) => await this.#run('start', machine, asking)
        : undefined,
      destroy: async (machine, { signal }) => {
        await this.#hooks.run('destroy', machineEnvironment(machine), signal)
      },
      createTimeoutMs: this.#hooks.settings.createTimeoutMs,
      pollMs: this.#hooks.settings.pollMs,
    })
  }

  async #make(request: CreateRequest): Promise<CreatedMachine> {
    const { name, pool, createdAt, signal } = request
    const tags: MachineTags = { installation: this.installation, pool, vmName: name, createdAt }
    let output = ''
    try {
      ;({ output } = await this.#hooks.run('create', createEnvironment(request, tags), signal))
      const { name: printed, id, address, data } = await this.#hooks.failuresOf(() => readPrintedMachine(output))
      const providerId = id ?? printed
      await request.onAccepted?.({ providerId })
      return { providerId, name, address, status: 'running', tags, data }
    } catch (error) {
      throw await this.#undone(request, error, output)
    }
  }

  /** Destroys what a failed creation left, unless we are told to stop. @returns the error to throw */
  async #undone(request: CreateRequest, error: unknown, output: string): Promise<unknown> {
    const cause = error instanceof ProviderError ? error.cause : undefined
    const neverRan = cause instanceof HookFailedError && (cause.why === 'missing' || cause.why === 'not_started')
    if (request.signal.aborted || neverRan) return error
    const half = halfMade(request, cause instanceof HookFailedError ? cause.output : output)
    try {
      if (await this.#mayBeThere(half, request.signal)) {
        await this.#hooks.run('destroy', machineEnvironment(half), request.signal)
      }
      return error
    } catch (undoing) {
      return error instanceof ProviderError ? leftBehind(error, half.providerId ?? half.name, undoing) : error
    }
  }

  /** Without a way to look, only what the hook told of both by address and by name: the name alone may be another's. */
  async #mayBeThere(half: MachineRef, signal: AbortSignal): Promise<boolean> {
    if (!this.#canLook()) return half.providerId !== null && (half.address ?? null) !== null
    const seen = await this.#look(half, signal)
    return seen !== undefined && this.#isOurs(seen)
  }

  /** Start and reset: both end with a machine that runs. */
  async #run(hook: 'start' | 'reset', machine: MachineRef, asking: Asking): Promise<CreatedMachine> {
    const before = await this.#mustExist(hook, machine, asking)
    const { output } = await this.#hooks.run(hook, machineEnvironment(machine), asking.signal)
    const printed = findPrintedAddress(output) ?? ''
    const after = this.#canLook() ? await this.#look(machine, asking.signal) : undefined
    const address = isIP(printed) === 0 ? (after?.address ?? before?.address ?? machine.address ?? null) : printed
    if (address === null) throw this.#transient(`told no address of the machine ${machine.name} after its ${hook}`)
    const providerId = after?.providerId ?? machine.providerId ?? machine.name
    const { tags = null, data = machine.data ?? {} } = after ?? before ?? {}
    return { providerId, name: machine.name, address, status: 'running', tags, data }
  }

  /** The machine as it is seen, or undefined where there is no way to look. @throws MachineNotFoundError */
  async #mustExist(hook: HookName, machine: MachineRef, { signal }: Asking): Promise<Machine | undefined> {
    if (!this.#hooks.has(hook)) return undefined
    if (!this.#canLook()) return undefined
    const seen = await this.#look(machine, signal)
    if (seen === undefined || !this.#isOurs(seen)) {
      throw new MachineNotFoundError(this.name, `Provider ${this.name} has no machine ${machine.name} to ${hook}.`)
    }
    return seen
  }

  #canLook(): boolean {
    return this.#hooks.has('describe') || this.#hooks.has('list')
  }

  /** Whoever it belongs to. @throws ProviderError, ProviderUnsupportedError where there is no hook for it */
  async #look(machine: MachineRef, signal: AbortSignal): Promise<Machine | undefined> {
    if (this.#hooks.has('describe')) {
      const { stdout } = await this.#hooks.run('describe', machineEnvironment(machine), signal)
      return await this.#hooks.failuresOf(() => readMachine(stdout))
    }
    return findMachine(await this.#listAll(signal), machine, this)
  }

  async #listAll(signal: AbortSignal): Promise<readonly Machine[]> {
    const { stdout } = await this.#hooks.run('list', {}, signal)
    return await this.#hooks.failuresOf(() => readMachines(stdout))
  }

  #isOurs({ tags }: Machine): boolean {
    return tags?.installation === this.installation
  }

  #transient(what: string): ProviderTransientError {
    return new ProviderTransientError(this.name, `Provider ${this.name} ${what}.`)
  }
}

/** What a hook that failed may have made, from what it printed. */
function halfMade({ name, pool }: CreateRequest, output: string): MachineRef {
  return { name, pool, providerId: findPrintedId(output) ?? null, address: findPrintedAddress(output) ?? null }
}
