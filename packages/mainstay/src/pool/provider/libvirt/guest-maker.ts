import type { DomainRef } from '@mainstay/libvirt-rpc'

import { KeyedMutex } from '../../../compute/libvirt/keyed-mutex.ts'
import { InvalidInputError } from '../../../core/errors.ts'
import { createEnvironment } from '../command/hook-environment.ts'
import {
  ProviderCapacityError,
  ProviderError,
  ProviderInvalidError,
  ProviderQuotaError,
  leftBehind,
} from '../errors.ts'
import type { CreateRequest, CreatedMachine, MachineTags } from '../provider.ts'
import { domainXml } from './domain-xml.ts'
import { freeAddress } from './guest-address.ts'
import type { Guest, Guests } from './guests.ts'
import type { MachineElement } from './machine-element.ts'
import type { LibvirtProviderOptions, LibvirtTemplate } from './options.ts'
import type { Volumes } from './volumes.ts'

const DEFAULT_TEMPLATE = 'default'

export interface GuestMakerParts {
  readonly guests: Guests
  readonly volumes: Volumes
  /** 0 is no limit. */
  readonly maxMachines: number
  /** Waits until a guest that was started can be reached. */
  readonly running: (domain: DomainRef, signal: AbortSignal) => Promise<CreatedMachine>
}

/** Makes guests from templates: volume, definition, start, in this order. */
export class GuestMaker {
  readonly #options: LibvirtProviderOptions
  readonly #parts: GuestMakerParts
  /** Two must not take the same static address, or the last place. */
  readonly #placing = new KeyedMutex()

  constructor(options: LibvirtProviderOptions, parts: GuestMakerParts) {
    this.#options = options
    this.#parts = parts
  }

  /** Makes a guest that is not there. What a failed attempt left is removed. @throws ProviderError */
  async make(request: CreateRequest): Promise<CreatedMachine> {
    const { name, pool, createdAt, profile, signal } = request
    const template = profile['template'] ?? DEFAULT_TEMPLATE
    const given = this.#options.templates[template]
    if (given === undefined) throw this.#invalid(`it has no template ${template}. Name one of its configuration.`)
    const tags: MachineTags = { installation: this.#options.installation, pool, vmName: name, createdAt }
    try {
      const domain = await this.#placing.run('host', async () => {
        return await this.#define(request, { tags, template, address: null }, given)
      })
      await request.onAccepted?.({ providerId: domain.uuid })
      await this.#parts.guests.start(domain, signal)
      return await this.#parts.running(domain, signal)
    } catch (error) {
      throw await this.#undone(tags, error, signal)
    }
  }

  async #define(
    request: CreateRequest,
    wanted: MachineElement,
    { xml, disk, address: rule }: LibvirtTemplate,
  ): Promise<DomainRef> {
    const { name, signal } = request
    const all = await this.#parts.guests.list(signal)
    this.#checkRoom(name, all)
    const taken = new Set(all.flatMap(({ element }) => element?.address ?? []))
    const address = rule.rule === 'static' ? freeAddress(rule, taken) : null
    if (rule.rule === 'static' && address === null) {
      throw new ProviderCapacityError(
        this.#options.name,
        `Provider ${this.#options.name} has no free address for ${name}. Add some.`,
      )
    }
    const element = { ...wanted, address }
    const diskPath = disk === null ? null : await this.#parts.volumes.make(wanted.tags, disk, signal)
    const uuid = this.#options.ids.random()
    const variables = {
      ...createEnvironment(request, wanted.tags),
      MAINSTAY_VM_ID: uuid,
      MAINSTAY_VM_IP: address ?? '',
    }
    const definition = this.#filled(() => domainXml(xml, { uuid, machine: element, diskPath, variables }))
    return await this.#parts.guests.define(definition, name, signal)
  }

  /** Removes what a failed creation left, unless we are told to stop. @returns the error to throw */
  async #undone(tags: MachineTags, error: unknown, signal: AbortSignal): Promise<unknown> {
    if (signal.aborted) return error
    try {
      const left = await this.#parts.guests.find({ name: tags.vmName, providerId: null }, signal)
      if (left?.element?.tags.installation === tags.installation) await this.#parts.guests.remove(left.domain, signal)
      await this.#parts.volumes.removeOf(tags, signal)
      return error
    } catch (undoing) {
      return error instanceof ProviderError ? leftBehind(error, tags.vmName, undoing) : error
    }
  }

  #checkRoom(name: string, all: readonly Guest[]): void {
    const { maxMachines } = this.#parts
    const used = all.filter(({ element }) => element?.tags.installation === this.#options.installation).length
    if (maxMachines === 0 || used < maxMachines) return
    const text = `Provider ${this.#options.name} has no room for ${name}: ${used} of ${maxMachines} machines are there.`
    throw new ProviderQuotaError(this.#options.name, text)
  }

  #filled<T>(work: () => T): T {
    try {
      return work()
    } catch (error) {
      if (error instanceof InvalidInputError) throw this.#invalid(error.message, error)
      throw error
    }
  }

  #invalid(what: string, cause?: unknown): ProviderInvalidError {
    const { name } = this.#options
    return new ProviderInvalidError(name, `Provider ${name}: ${what}`, { cause })
  }
}
