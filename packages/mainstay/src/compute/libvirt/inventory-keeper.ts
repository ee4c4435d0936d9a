import { DomainUndefineFlag, LibvirtError } from '@mainstay/libvirt-rpc'
import pLimit from 'p-limit'

import type { Clock } from '../../core/clock.ts'
import { InvalidInputError, errorMessage } from '../../core/errors.ts'
import type { Logger } from '../../core/logging.ts'
import type { HostName } from '../compute.ts'
import { ComputeUnavailableError } from '../errors.ts'
import { clearedOf, isMoving, wasMovedAwayFrom, type GuestRecord } from './guest-record.ts'
import { executes, hasProcess } from './instance-state.ts'
import type { Inventory } from './inventory.ts'
import type { KeyedMutex } from './keyed-mutex.ts'
import { absentAsUndefined, byUuid, type CallBounds, type LibvirtHost } from './libvirt-host.ts'
import type { OwnStarts } from './own-starts.ts'
import { recordSeen, sameRecord, seeGuest, type SeenGuest } from './seen-guest.ts'
import { judgeSighting, type Sighting } from './sighting.ts'
import type { TwoCopiesAlarm } from './two-copies-alarm.ts'

/** Guests of one host that are looked at side by side; the connection carries no more calls at once. */
const GUESTS_AT_ONCE = 4

export interface InventoryKeeperOptions {
  readonly inventory: Inventory
  readonly hosts: ReadonlyMap<HostName, LibvirtHost>
  /** Held for a guest while its record or its place changes. */
  readonly guestMutex: KeyedMutex
  readonly alarm: TwoCopiesAlarm
  readonly ownStarts: OwnStarts
  readonly clock: Clock
  readonly logger: Logger
}

/**
 * Brings the inventory to what the hosts show, and takes away what is left of guests that were restarted elsewhere.
 * What is to be done with a sighting is decided by `judgeSighting`.
 */
export class InventoryKeeper {
  readonly #options: InventoryKeeperOptions

  constructor(options: InventoryKeeperOptions) {
    this.#options = options
  }

  /**
   * Looks at all guests of a host: those that it has, those that it should have and those that it should have no more.
   *
   * @throws ComputeUnavailableError when the host stops answering, the signal's reason
   */
  async refreshHost(host: LibvirtHost, bounds: CallBounds): Promise<void> {
    const shown = await host.call('list its guests', bounds, async (connection, options) => {
      return await connection.listAllDomains(options)
    })
    await host.lookAtCpuTime(bounds)
    const recorded = await this.#options.inventory.listOn(host.name)
    const movedAway = await this.#options.inventory.listMovedFrom(host.name)
    const uuids = new Set([...shown, ...recorded, ...movedAway].map(({ uuid }) => uuid))
    const atOnce = pLimit(GUESTS_AT_ONCE)
    await Promise.all([...uuids].map((uuid) => atOnce(async () => await this.refreshGuest(host, uuid, bounds))))
    await this.#options.ownStarts.look(host, bounds)
  }

  /** Looks at one guest of a host. @throws ComputeUnavailableError, the signal's reason */
  async refreshGuest(host: LibvirtHost, uuid: string, bounds: CallBounds): Promise<void> {
    const { guestMutex, logger } = this.#options
    try {
      await guestMutex.run(uuid, async () => await this.#look(host, uuid, bounds))
    } catch (error) {
      // One guest that cannot be understood must not hide the others of its host.
      if (!(error instanceof InvalidInputError) && !(error instanceof LibvirtError)) throw error
      logger.error({ err: error, host: host.name, instance: uuid }, errorMessage(error))
    }
  }

  async #look(host: LibvirtHost, uuid: string, bounds: CallBounds): Promise<void> {
    const { inventory, alarm, clock } = this.#options
    const at = clock.now()
    const seen = await seeGuest(host, uuid, bounds)
    if (seen === undefined) {
      alarm.clear(uuid, host.name)
      await this.#noteAbsent(uuid, host.name)
      return
    }
    const before = await inventory.find(uuid)
    const verdict = judgeSighting(await this.#sighting(host, seen, before, bounds))
    if (verdict.do === 'alarm') {
      const { name } = recordSeen(before, host.name, seen, at)
      alarm.raise({ uuid, name, host: host.name, because: verdict.because })
      return
    }
    alarm.clear(uuid, host.name)
    const unchanged = before !== undefined && sameRecord(before, recordSeen(before, host.name, seen, at))
    if ((verdict.do === 'record' && !unchanged) || verdict.do === 'adopt') {
      await inventory.change(uuid, (now) => {
        // Somebody else has moved it since it was judged; that move brings news of its own.
        if (now?.host !== before?.host) return undefined
        const after = recordSeen(now, host.name, seen, at)
        return now !== undefined && sameRecord(now, after) ? undefined : after
      })
    }
    if (verdict.do === 'undefine') {
      await undefineGuest(host, uuid, bounds)
      await this.#noteAbsent(uuid, host.name)
    }
  }

  /** The host was seen without the guest. */
  async #noteAbsent(uuid: string, host: HostName): Promise<void> {
    await this.#options.inventory.change(uuid, (now) => {
      if (now === undefined) return undefined
      if (wasMovedAwayFrom(now, host)) return clearedOf(now, host)
      // A restart here that has begun but does not show yet must not cost the only definition that is left.
      return now.host === host && !isMoving(now) ? 'forget' : undefined
    })
  }

  async #sighting(
    host: LibvirtHost,
    seen: SeenGuest,
    before: GuestRecord | undefined,
    bounds: CallBounds,
  ): Promise<Sighting> {
    const elsewhere = before !== undefined && before.host !== host.name ? before : undefined
    return {
      host: host.name,
      here: executes(seen.state) ? 'executes' : hasProcess(seen.state) ? 'idle' : 'no-process',
      recordedHost: before?.host,
      movedAway: before !== undefined && wasMovedAwayFrom(before, host.name),
      moving: before !== undefined && isMoving(before),
      atRecordedHost: elsewhere === undefined ? 'idle' : await this.#atHost(elsewhere.host, elsewhere.uuid, bounds),
    }
  }

  async #atHost(name: HostName, uuid: string, bounds: CallBounds): Promise<Sighting['atRecordedHost']> {
    const host = this.#options.hosts.get(name)
    if (host === undefined) return 'unreachable'
    try {
      const state = await host.guestState(uuid, bounds)
      return state !== undefined && executes(state) ? 'executes' : 'idle'
    } catch (error) {
      if (error instanceof ComputeUnavailableError) return 'unreachable'
      throw error
    }
  }
}

/** Takes a guest's definition from a host, with what belongs to it alone, but not its firmware's memory. */
export async function undefineGuest(host: LibvirtHost, uuid: string, bounds: CallBounds): Promise<void> {
  const flags =
    DomainUndefineFlag.MANAGED_SAVE |
    DomainUndefineFlag.SNAPSHOTS_METADATA |
    DomainUndefineFlag.CHECKPOINTS_METADATA |
    DomainUndefineFlag.KEEP_NVRAM
  await host.call(`undefine guest ${uuid}`, bounds, async (connection, options) => {
    await absentAsUndefined(connection.undefine(byUuid(uuid), { ...options, flags }))
  })
}
