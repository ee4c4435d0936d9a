import type { DomainStateAndReason } from '@mainstay/libvirt-rpc'

import type { HostName, Instance } from '../compute.ts'
import { ComputeUnavailableError } from '../errors.ts'
import type { FactsReader } from './guest-facts.ts'
import { isMoving, type GuestRecord } from './guest-record.ts'
import { instanceView, lastState, placeOf, presentState, taskStateOf } from './instance-view.ts'
import { runAgainAfter } from './interrupted.ts'
import type { Inventory } from './inventory.ts'
import type { InventoryKeeper } from './inventory-keeper.ts'
import { orSilence, type CallBounds, type LibvirtHost } from './libvirt-host.ts'
import { liveStates } from './live-states.ts'

export interface GuestLookupOptions {
  readonly inventory: Inventory
  readonly hosts: ReadonlyMap<HostName, LibvirtHost>
  readonly keeper: InventoryKeeper
  readonly facts: FactsReader
  /** What this process is doing to a guest. */
  readonly taskOf: (uuid: string) => string | undefined
}

/** Answers questions about guests from the inventory and from what their hosts say now. */
export class GuestLookup {
  readonly #options: GuestLookupOptions

  constructor(options: GuestLookupOptions) {
    this.#options = options
  }

  /**
   * The guests whose place is a host; as they were last seen, when it does not answer.
   *
   * @throws ComputeUnavailableError when it does not answer and nothing is known of its guests: that none is known is no
   * proof that it has none
   */
  async listOn(host: LibvirtHost, bounds: CallBounds): Promise<Instance[]> {
    const { inventory, keeper } = this.#options
    const live = host.state === 'up' ? await orSilence(liveStates(host, bounds)) : undefined
    for (const uuid of await this.#unrecorded(host.name, live?.keys() ?? [])) {
      await keeper.refreshGuest(host, uuid, bounds)
    }
    const records = await inventory.listOn(host.name)
    const leaving = await this.#leaving(host, bounds)
    if (live === undefined && records.length + leaving.length === 0 && !host.everConnected) {
      throw new ComputeUnavailableError(
        `The libvirtd of host ${host.name} does not answer and has never been reached, so which guests it has is not known. ` +
          `Start them elsewhere by hand, or bring its libvirtd back once.`,
      )
    }
    const settled = records.map((record) => {
      const state = live?.get(record.uuid)
      // What it does now, unless that is nothing and it was to run: then a plan must know of it.
      const runAgain = state === undefined ? record.runAgain : runAgainAfter(record, state, record.seenAt)
      const interrupted = record.fencedAt !== null || runAgain !== null
      const asLastSeen = live === undefined || interrupted || isMoving(record)
      const told = asLastSeen ? lastState({ ...record, runAgain }) : presentState(record, state)
      // Also one that is still on its way here: if this host died too, it is this host's proof of death that counts.
      return { ...this.#view(record, state, told), host: host.name }
    })
    return [...settled, ...leaving]
  }

  /** Guests that are to be restarted elsewhere and are not known to have arrived. */
  async #leaving(host: LibvirtHost, bounds: CallBounds): Promise<Instance[]> {
    const moving = await this.#options.inventory.listMovingFrom(host.name)
    const views = await Promise.all(
      moving.map(async (record) => {
        const seen = await this.stateOf(record, bounds)
        const live = seen === 'gone' ? undefined : seen
        return this.#view(record, live, lastState(record))
      }),
    )
    return views.filter((view) => view.host === host.name)
  }

  /** A guest as it is now; undefined when no host that answers has it and none is known to have had it. */
  async find(uuid: string, bounds: CallBounds): Promise<Instance | undefined> {
    const record = await this.record(uuid, bounds)
    if (record === undefined) return undefined
    const live = await this.stateOf(record, bounds)
    if (live === 'gone') return await this.#lookAgain(record, bounds)
    return this.#view(record, live, presentState(record, live))
  }

  /** What is kept of a guest, also of one that no news has told of yet. */
  async record(uuid: string, bounds: CallBounds): Promise<GuestRecord | undefined> {
    return (await this.#options.inventory.find(uuid)) ?? (await this.#discover(uuid, bounds))
  }

  /** What the guest's host says now; undefined when it says nothing, `gone` when it answers and has no such guest. */
  async stateOf(record: GuestRecord, bounds: CallBounds): Promise<DomainStateAndReason | 'gone' | undefined> {
    const host = this.#options.hosts.get(record.host)
    if (host === undefined || host.state !== 'up') return undefined
    const seen = await orSilence(host.guestState(record.uuid, bounds).then((state) => state ?? ('gone' as const)))
    return seen === 'gone' && isMoving(record) ? undefined : seen
  }

  /** Its host does not have it any more: it was deleted, or migrated to a host whose news has not been heard yet. */
  async #lookAgain(record: GuestRecord, bounds: CallBounds): Promise<Instance | undefined> {
    const { hosts, keeper, facts } = this.#options
    const host = hosts.get(record.host)
    if (host !== undefined) await keeper.refreshGuest(host, record.uuid, bounds)
    facts.forget(record.uuid)
    const found = await this.record(record.uuid, bounds)
    if (found === undefined) return undefined
    const seen = await this.stateOf(found, bounds)
    const live = seen === 'gone' ? undefined : seen
    return this.#view(found, live, presentState(found, live))
  }

  async #discover(uuid: string, bounds: CallBounds): Promise<GuestRecord | undefined> {
    const { inventory, hosts, keeper } = this.#options
    const answering = [...hosts.values()].filter(({ state }) => state === 'up')
    const states = await Promise.all(answering.map(async (host) => await orSilence(host.guestState(uuid, bounds))))
    for (const [index, host] of answering.entries()) {
      if (states[index] !== undefined) await keeper.refreshGuest(host, uuid, bounds)
    }
    return await inventory.find(uuid)
  }

  async #unrecorded(host: HostName, shown: Iterable<string>): Promise<string[]> {
    const missing = new Set(shown)
    for (const { uuid } of await this.#options.inventory.listOn(host)) missing.delete(uuid)
    return [...missing]
  }

  #view(record: GuestRecord, live: DomainStateAndReason | undefined, state: Instance['state']): Instance {
    const { facts, taskOf } = this.#options
    const taskState = taskStateOf(record, live, taskOf(record.uuid))
    return instanceView(record, facts.of(record), { host: placeOf(record, live), state, taskState })
  }
}
