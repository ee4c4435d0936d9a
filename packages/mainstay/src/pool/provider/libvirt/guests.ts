import {
  DomainAffect,
  DomainMetadataType,
  DomainUndefineFlag,
  type Domain,
  type DomainRef,
  type LibvirtConnection,
} from '@mainstay/libvirt-rpc'

import { parseXml } from '../../../compute/libvirt/xml-element.ts'
import type { Machine, MachineRef } from '../provider.ts'
import { SOURCE_OF_RULE, usableAddress } from './guest-address.ts'
import {
  AGENT_UNRESPONSIVE,
  NO_DOMAIN,
  NO_DOMAIN_METADATA,
  OPERATION_INVALID,
  unlessMissing,
  type Bounds,
  type LibvirtAccess,
} from './libvirt-access.ts'
import {
  ADDRESS_NAMESPACE,
  MACHINE_NAMESPACE,
  MACHINE_PREFIX,
  readMachineElement,
  writeMachineElement,
  type MachineElement,
} from './machine-element.ts'
import { machineStatus } from './machine-status.ts'
import type { AddressRule } from './options.ts'

/** A guest of the host, ours or not. */
export interface Guest {
  readonly domain: Domain
  /** Null for one that we did not make. */
  readonly element: MachineElement | null
  readonly machine: Machine
}

/** Snapshots, saved memory and firmware settings go with a definition, or libvirt keeps it. */
const UNDEFINE_ALL =
  DomainUndefineFlag.MANAGED_SAVE |
  DomainUndefineFlag.SNAPSHOTS_METADATA |
  DomainUndefineFlag.CHECKPOINTS_METADATA |
  DomainUndefineFlag.NVRAM

/** The guests of one host as machines. */
export class Guests {
  readonly #libvirt: LibvirtAccess

  constructor(libvirt: LibvirtAccess) {
    this.#libvirt = libvirt
  }

  /** All guests of the host. @throws ProviderError when any of them may be missing */
  async list(signal: AbortSignal): Promise<Guest[]> {
    return await this.#libvirt.ask('list its guests', signal, async (libvirt, bounds) => {
      const domains = await libvirt.listAllDomains(bounds)
      const seen = await Promise.all(domains.map(async (domain) => await see(libvirt, domain, bounds)))
      return seen.filter((guest) => guest !== undefined)
    })
  }

  /** By the identifier where it is known, else by the name. */
  async find({ name, providerId }: MachineRef, signal: AbortSignal): Promise<Guest | undefined> {
    return await this.#libvirt.ask(`look for the guest ${name}`, signal, async (libvirt, bounds) => {
      const call = providerId === null ? libvirt.lookupByName(name, bounds) : libvirt.lookupByUuid(providerId, bounds)
      const domain = await unlessMissing(call, NO_DOMAIN)
      return domain === undefined ? undefined : await see(libvirt, domain, bounds)
    })
  }

  async define(xml: string, name: string, signal: AbortSignal): Promise<Domain> {
    return await this.#libvirt.act(`define the guest ${name}`, signal, async (libvirt, bounds) => {
      return await libvirt.defineXml(xml, bounds)
    })
  }

  /** Starts a guest that is off; one that runs already is fine. */
  async start(domain: DomainRef, signal: AbortSignal): Promise<void> {
    await this.#libvirt.act(`start the guest ${domain.name}`, signal, async (libvirt, bounds) => {
      await unlessMissing(libvirt.create(domain, bounds), OPERATION_INVALID)
    })
  }

  /** Asks a guest to stop by itself. */
  async shutDown(domain: DomainRef, signal: AbortSignal): Promise<void> {
    await this.#libvirt.act(`stop the guest ${domain.name}`, signal, async (libvirt, bounds) => {
      await unlessMissing(libvirt.shutdown(domain, bounds), OPERATION_INVALID, NO_DOMAIN)
    })
  }

  /** Pulls the plug; one that is off or gone is fine. */
  async pullPlug(domain: DomainRef, signal: AbortSignal): Promise<void> {
    await this.#libvirt.act(`end the guest ${domain.name}`, signal, async (libvirt, bounds) => {
      await unlessMissing(libvirt.destroy(domain, bounds), OPERATION_INVALID, NO_DOMAIN)
    })
  }

  /** Ends a guest and forgets it; one that is gone is fine. */
  async remove(domain: DomainRef, signal: AbortSignal): Promise<void> {
    await this.pullPlug(domain, signal)
    await this.#libvirt.act(`remove the guest ${domain.name}`, signal, async (libvirt, bounds) => {
      // One that was never defined is gone with its process.
      await unlessMissing(libvirt.undefine(domain, { ...bounds, flags: UNDEFINE_ALL }), NO_DOMAIN, OPERATION_INVALID)
      const left = await unlessMissing(libvirt.lookupByUuid(domain.uuid, bounds), NO_DOMAIN)
      if (left !== undefined) throw new Error('it is still there after it was destroyed and undefined')
    })
  }

  /** Writes our element anew, into the definition and the guest if it runs. */
  async write(domain: DomainRef, element: MachineElement, signal: AbortSignal): Promise<void> {
    await this.#libvirt.act(`tag the guest ${domain.name}`, signal, async (libvirt, bounds) => {
      const type = DomainMetadataType.ELEMENT
      const wanted = {
        ...bounds,
        type,
        uri: MACHINE_NAMESPACE,
        key: MACHINE_PREFIX,
        value: writeMachineElement(element),
      }
      await libvirt.setMetadata(domain, { ...wanted, flags: DomainAffect.CONFIG })
      await unlessMissing(libvirt.setMetadata(domain, { ...wanted, flags: DomainAffect.LIVE }), OPERATION_INVALID)
    })
  }

  /** The address that a running guest has by now. */
  async address(domain: DomainRef, rule: AddressRule, element: MachineElement, signal: AbortSignal) {
    switch (rule.rule) {
      case 'static':
        return element.address
      case 'metadata':
        return await this.#libvirt.ask(`read the address of ${domain.name}`, signal, async (libvirt, bounds) => {
          const xml = await metadata(libvirt, domain, ADDRESS_NAMESPACE, bounds)
          return xml === undefined ? null : parseXml(xml, `The address of ${domain.name}`).text || null
        })
      case 'lease':
      case 'agent':
      case 'arp':
        return await this.#libvirt.ask(`learn the address of ${domain.name}`, signal, async (libvirt, bounds) => {
          const call = libvirt.interfaceAddresses(domain, { ...bounds, source: SOURCE_OF_RULE[rule.rule] })
          // An agent that has not started yet is no failure.
          const interfaces = (await unlessMissing(call, AGENT_UNRESPONSIVE, OPERATION_INVALID)) ?? []
          return usableAddress(interfaces, rule.family)
        })
    }
  }
}

async function see(libvirt: LibvirtConnection, domain: Domain, bounds: Bounds): Promise<Guest | undefined> {
  const [state, xml] = await Promise.all([
    unlessMissing(libvirt.getState(domain, bounds), NO_DOMAIN),
    metadata(libvirt, domain, MACHINE_NAMESPACE, bounds),
  ])
  if (state === undefined) return undefined
  const element = xml === undefined ? null : readMachineElement(xml)
  const { name, uuid: providerId } = domain
  const status = machineStatus(state)
  const address = element?.address ?? null
  return { domain, element, machine: { providerId, name, address, status, tags: element?.tags ?? null, data: {} } }
}

async function metadata(
  libvirt: LibvirtConnection,
  domain: DomainRef,
  uri: string,
  bounds: Bounds,
): Promise<string | undefined> {
  const call = libvirt.getMetadata(domain, { ...bounds, type: DomainMetadataType.ELEMENT, uri })
  return await unlessMissing(call, NO_DOMAIN, NO_DOMAIN_METADATA)
}
