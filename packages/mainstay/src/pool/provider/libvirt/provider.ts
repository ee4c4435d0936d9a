import { wholeMs } from '../../../core/format-duration.ts'
import type { DomainRef } from '@mainstay/libvirt-rpc'

import { KeyedMutex } from '../../../compute/libvirt/keyed-mutex.ts'
import { ForeignMachineError, MachineNotFoundError, ProviderInvalidError, ProviderTransientError } from '../errors.ts'
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
import { mustBeOurs, takeOver } from '../take-over.ts'
import { GuestMaker } from './guest-maker.ts'
import { Guests, type Guest } from './guests.ts'
import { LibvirtAccess } from './libvirt-access.ts'
import type { MachineElement } from './machine-element.ts'
import {
  DEFAULT_LIBVIRT_PROVIDER_SETTINGS,
  type LibvirtProviderOptions,
  type LibvirtProviderSettings,
  type LibvirtTemplate,
} from './options.ts'
import { Volumes } from './volumes.ts'

/** A guest that we made. */
type OwnGuest = Guest & { readonly element: MachineElement }

/**
 * Guests of one libvirt host, each made from a template with a volume of its own. Several hosts are several providers.
 *
 * The tags are part of the definition, so a guest is never without them; a volume carries them in its name. Order of
 * making: volume, definition, start. A crash leaves a tagged volume, a tagged guest that is off, or a running one: the
 * next creation of that name takes each over.
 *
 * Source: vm-pool.md C10, C11.
 */
export class LibvirtProvider implements Provider {
  readonly driver = 'libvirt'
  readonly name: string
  readonly installation: string
  readonly capabilities: ProviderCapabilities
  readonly #options: LibvirtProviderOptions
  readonly #settings: LibvirtProviderSettings
  readonly #libvirt: LibvirtAccess
  readonly #guests: Guests
  readonly #volumes: Volumes
  readonly #maker: GuestMaker
  readonly #creating = new KeyedMutex()

  constructor(options: LibvirtProviderOptions) {
    this.name = options.name
    this.installation = options.installation
    this.#options = options
    this.#settings = { ...DEFAULT_LIBVIRT_PROVIDER_SETTINGS, ...options.settings }
    this.#libvirt = new LibvirtAccess(options, this.#settings)
    this.#guests = new Guests(this.#libvirt)
    const pools = new Set(Object.values(options.templates).flatMap(({ disk }) => disk?.pool ?? []))
    this.#volumes = new Volumes(this.#libvirt, [...pools])
    this.#maker = new GuestMaker(options, {
      guests: this.#guests,
      volumes: this.#volumes,
      maxMachines: this.#settings.maxMachines,
      running: async (domain, signal) => await this.#running(domain, signal),
    })
    const resources = pools.size === 0 ? [] : (['volume'] as const)
    this.capabilities = { list: true, tags: true, standby: true, reset: true, quota: true, resources }
  }

  async create(request: CreateRequest): Promise<CreatedMachine> {
    return await this.#creating.run(request.name, async () => {
      const standing = await takeOver(request, {
        provider: this,
        clock: this.#options.clock,
        look: async (ref, { signal }) => await this.#look(ref, signal),
        start: async (machine, asking) => await this.start(machine, asking),
        destroy: async (machine, asking) => await this.destroy(machine, asking),
        createTimeoutMs: this.#settings.createTimeoutMs,
        pollMs: this.#settings.pollMs,
      })
      return standing ?? (await this.#maker.make(request))
    })
  }

  async destroy(ref: MachineRef, { signal }: Asking): Promise<void> {
    const guest = await this.#guests.find(ref, signal)
    if (guest === undefined) {
      await this.#volumes.removeNamed({ installation: this.installation, vmName: ref.name }, signal)
      return
    }
    mustBeOurs(this, guest.machine)
    await this.#guests.remove(guest.domain, signal)
    await this.#volumes.removeOf(guest.machine.tags!, signal)
  }

  async list({ signal }: Asking): Promise<readonly Machine[]> {
    const ours = (await this.#guests.list(signal)).filter((guest) => this.#isOurs(guest))
    return await Promise.all(ours.map(async (guest) => await this.#withAddress(guest, signal)))
  }

  async describe(ref: MachineRef, { signal }: Asking): Promise<Machine | undefined> {
    const guest = await this.#guests.find(ref, signal)
    return guest !== undefined && this.#isOurs(guest) ? await this.#withAddress(guest, signal) : undefined
  }

  async start(ref: MachineRef, { signal }: Asking): Promise<CreatedMachine> {
    const guest = await this.#ours(ref, 'start', signal)
    await this.#guests.start(guest.domain, signal)
    return await this.#running(guest.domain, signal)
  }

  async stop(ref: MachineRef, { signal }: Asking): Promise<void> {
    const { clock } = this.#options
    const { gracefulStopMs, pollMs } = this.#settings
    const { domain } = await this.#ours(ref, 'stop', signal)
    const pullAt = clock.now() + gracefulStopMs
    if (gracefulStopMs > 0) await this.#guests.shutDown(domain, signal)
    while (clock.now() < pullAt) {
      const seen = await this.#guests.find({ name: ref.name, providerId: domain.uuid }, signal)
      if (seen?.machine.status !== 'running' && seen?.machine.status !== 'unknown') break
      await clock.sleep(Math.min(pollMs, pullAt - clock.now()), { signal })
    }
    await this.#guests.pullPlug(domain, signal)
  }

  async reset(ref: MachineRef, { signal }: Asking): Promise<CreatedMachine> {
    const guest = await this.#ours(ref, 'reset', signal)
    const { disk, address } = this.#templateOf(guest)
    await this.#guests.pullPlug(guest.domain, signal)
    if (disk !== null) await this.#volumes.make(guest.element.tags, disk, signal)
    const element = { ...guest.element, address: address.rule === 'static' ? guest.element.address : null }
    await this.#guests.write(guest.domain, element, signal)
    await this.#guests.start(guest.domain, signal)
    return await this.#running(guest.domain, signal)
  }

  async quota({ signal }: Asking): Promise<ProviderQuota> {
    const used = (await this.#guests.list(signal)).filter((guest) => this.#isOurs(guest)).length
    const memoryMib = await this.#libvirt.ask('tell its memory', signal, async (libvirt, bounds) => {
      const [{ memoryKiB }, free] = [await libvirt.getNodeInfo(bounds), await libvirt.getFreeMemoryBytes(bounds)]
      const limit = Math.floor(memoryKiB / 1024)
      return { used: limit - Number(free / 1024n / 1024n), limit }
    })
    const { maxMachines } = this.#settings
    return { machines: { used, limit: maxMachines === 0 ? null : maxMachines }, vcpus: null, memoryMib }
  }

  async listResources({ signal }: Asking): Promise<readonly ProviderResource[]> {
    return (await this.#volumes.list(signal)).filter(({ tags }) => tags?.installation === this.installation)
  }

  async destroyResource(resource: ProviderResource, { signal }: Asking): Promise<void> {
    if (resource.kind !== 'volume' || resource.tags?.installation !== this.installation) {
      throw new ForeignMachineError(
        this.name,
        `The ${resource.kind} ${resource.name} at provider ${this.name} is not ours.`,
      )
    }
    await this.#volumes.remove(resource, signal)
  }

  async close(): Promise<void> {
    await this.#libvirt.close()
  }

  /** Waits until a guest that was started can be reached. */
  async #running({ name, uuid: providerId }: DomainRef, signal: AbortSignal): Promise<CreatedMachine> {
    const { clock } = this.#options
    const { createTimeoutMs, pollMs } = this.#settings
    const giveUpAt = clock.now() + createTimeoutMs
    for (;;) {
      const machine = await this.#look({ name, providerId }, signal)
      if (machine === undefined) throw this.#transient(`the guest ${name} disappeared while it started`)
      if (machine.status === 'running' && machine.address !== null) return { ...machine, address: machine.address }
      if (machine.status === 'error' || machine.status === 'stopped') {
        throw this.#transient(`the guest ${name} did not keep running: it is ${machine.status}. See its log in libvirt`)
      }
      if (clock.now() >= giveUpAt) {
        throw this.#transient(`the guest ${name} had no address after ${wholeMs(createTimeoutMs)}. Is its rule right?`)
      }
      await clock.sleep(pollMs, { signal })
    }
  }

  /** A guest as a machine, ours with the address that it has by now. */
  async #look(ref: MachineRef, signal: AbortSignal): Promise<Machine | undefined> {
    const guest = await this.#guests.find(ref, signal)
    if (guest === undefined) return undefined
    return this.#isOurs(guest) ? await this.#withAddress(guest, signal) : guest.machine
  }

  /** An address that is learned is written down, so that it is asked for once. */
  async #withAddress(guest: OwnGuest, signal: AbortSignal): Promise<Machine> {
    const { domain, element, machine } = guest
    const rule = this.#options.templates[element.template]?.address
    if (machine.status !== 'running' || machine.address !== null || rule === undefined) return machine
    const address = await this.#guests.address(domain, rule, element, signal)
    if (address === null) return machine
    await this.#guests.write(domain, { ...element, address }, signal)
    return { ...machine, address }
  }

  #templateOf({ element, machine }: OwnGuest): LibvirtTemplate {
    const template = this.#options.templates[element.template]
    if (template !== undefined) return template
    const text = `Provider ${this.name}: the template ${element.template} of ${machine.name} is not configured any more.`
    throw new ProviderInvalidError(this.name, text)
  }

  async #ours(ref: MachineRef, what: string, signal: AbortSignal): Promise<OwnGuest> {
    const guest = await this.#guests.find(ref, signal)
    if (guest !== undefined && this.#isOurs(guest)) return guest
    throw new MachineNotFoundError(this.name, `Provider ${this.name} has no machine ${ref.name} to ${what}.`)
  }

  #isOurs(guest: Guest): guest is OwnGuest {
    return guest.element?.tags.installation === this.installation
  }

  #transient(what: string): ProviderTransientError {
    return new ProviderTransientError(this.name, `Provider ${this.name}: ${what}.`)
  }
}
