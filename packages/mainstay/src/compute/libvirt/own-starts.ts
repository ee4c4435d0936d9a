import { DomainListFlag, LibvirtError, type Domain } from '@mainstay/libvirt-rpc'

import { InvalidInputError } from '../../core/errors.ts'
import type { FactsReader } from './guest-facts.ts'
import type { GuestNotices } from './guest-notices.ts'
import type { Inventory } from './inventory.ts'
import { absentAsUndefined, byUuid, type CallBounds, type LibvirtHost } from './libvirt-host.ts'
import type { LibvirtSettings } from './settings.ts'

export interface OwnStartsOptions {
  readonly inventory: Inventory
  readonly facts: FactsReader
  readonly mode: LibvirtSettings['autostart']
  readonly notices: GuestNotices
}

/**
 * Guests that start by themselves with their host. When such a host fails, its guests are restarted elsewhere, and it
 * comes back, libvirtd starts them a second time before anybody can ask. So they are told of, or their own start is
 * switched off, while there is time.
 */
export class OwnStarts {
  readonly #options: OwnStartsOptions
  /** Of whom was told when the host was looked at last. */
  readonly #told = new Map<string, ReadonlySet<string>>()

  constructor(options: OwnStartsOptions) {
    this.#options = options
  }

  /** Looks at a host's guests. Each is told of once for each time that it comes to be so. @throws ComputeUnavailableError, the signal's reason */
  async look(host: LibvirtHost, bounds: CallBounds): Promise<void> {
    const starting = await host.call(
      'list the guests that start by themselves',
      bounds,
      async (connection, options) => {
        return await connection.listAllDomains({ ...options, flags: DomainListFlag.AUTOSTART })
      },
    )
    const before = this.#told.get(host.name) ?? new Set()
    const now = new Set<string>()
    for (const guest of starting) {
      if (await this.#isBound(guest)) continue
      const refusal = this.#options.mode === 'disable' ? await this.#disable(host, guest, bounds) : null
      if (refusal === undefined) continue
      now.add(guest.uuid)
      if (!before.has(guest.uuid)) this.#warn(host, guest, refusal)
    }
    this.#told.set(host.name, now)
  }

  /** Whether a guest can run on its host only, so that there is no second copy for it to meet. */
  async #isBound({ uuid }: Domain): Promise<boolean> {
    const { inventory, facts } = this.#options
    const record = await inventory.find(uuid)
    try {
      return record !== undefined && facts.of(record).boundBecause !== null
    } catch (error) {
      // What cannot be understood is told of where it is read; whether it can be moved is not known.
      if (error instanceof InvalidInputError) return false
      throw error
    }
  }

  /** @returns why libvirt refused; undefined when the guest does not start by itself any more */
  async #disable(host: LibvirtHost, { uuid, name }: Domain, bounds: CallBounds): Promise<string | undefined> {
    try {
      await host.call(`have guest ${uuid} not start by itself`, bounds, async (connection, options) => {
        await absentAsUndefined(connection.setAutostart(byUuid(uuid), false, options))
      })
    } catch (error) {
      if (!(error instanceof LibvirtError)) throw error
      return error.message
    }
    const text = `Guest ${uuid} (${name}) no longer starts by itself with host ${host.name}: its autostart was switched off.`
    const about = { uuid, name, host: host.name, text }
    this.#options.notices.tell({ type: 'compute.instance.autostart_disabled', severity: 'info', ...about })
    return undefined
  }

  /** @param refusal why it could not be switched off; null when that was not asked for */
  #warn({ name: host }: LibvirtHost, { uuid, name }: Domain, refusal: string | null): void {
    const remedy =
      refusal === null ? ', or set compute.libvirt_autostart = "disable"' : `: libvirt refused to do so (${refusal})`
    const text =
      `Guest ${uuid} (${name}) starts by itself with host ${host}. Should the host fail and come back, it would run there ` +
      `beside its copy that was restarted elsewhere. Switch it off with "virsh autostart --disable ${name}"${remedy}.`
    this.#options.notices.tell({ type: 'compute.instance.autostart', severity: 'warning', uuid, name, host, text })
  }
}
