import type { Clock } from '../../core/clock.ts'
import { InvalidInputError, errorMessage } from '../../core/errors.ts'
import type { Logger } from '../../core/logging.ts'
import { ChangeFeed } from '../change-feed.ts'
import { HostNotFoundError, InstanceNotFoundError, InstanceStateError } from '../errors.ts'
import type { HostName } from '../compute.ts'
import { applyFleetEvent } from './apply-fleet-event.ts'
import { worldOfLog } from './audit-fleet-log.ts'
import { completionOf } from './completion.ts'
import { DueQueue } from './due-queue.ts'
import type { FleetEvent } from './fleet-event.ts'
import { FileLog, memoryLog, type FleetLog } from './fleet-log.ts'
import { newWorld } from './new-world.ts'
import type { FleetSize, GuestAct, HostCondition, SimulatedGuest, SimulatedHost, World } from './world.ts'

/** How long to wait before an event is tried again that could not be written, in ms. */
const WRITE_AGAIN_MS = 1_000

/**
 * Who carries on a restart elsewhere once it has begun: `platform`, as Nova, which ends what it accepted whoever asked for it;
 * or `process`, as with libvirt, where the one who asked does it step by step, and one that dies leaves it half done.
 */
export type EvacuationsBy = 'platform' | 'process'

export interface SimulatedFleetOptions {
  readonly clock: Clock
  readonly logger: Logger
  readonly size: FleetSize
  /** Where the fleet is kept; without it the fleet ends with the process. */
  readonly directory?: string | undefined
  readonly evacuationsBy?: EvacuationsBy
}

/**
 * A fleet that lives: its events are logged, then take effect, then are told; what was accepted is done when its time
 * has come, also when nobody waits for it. One timer serves the whole fleet.
 *
 * Its methods are what happens to a fleet from outside, not what a platform offers: pull a plug, cut a network.
 */
export class SimulatedFleet {
  readonly world: World
  readonly changes: ChangeFeed
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #log: FleetLog
  readonly #due = new DueQueue<SimulatedGuest>()
  /** Guests whose restart elsewhere was left half done by a process that ended. */
  readonly #adrift = new Set<string>()
  #timer: Disposable | undefined
  #closed = false

  private constructor({ clock, logger }: SimulatedFleetOptions, world: World, log: FleetLog) {
    this.world = world
    this.changes = new ChangeFeed(logger)
    this.#clock = clock
    this.#logger = logger
    this.#log = log
  }

  /**
   * Makes a fleet, or goes on with the one that the directory holds.
   *
   * @throws InvalidInputError when the directory holds a fleet of another size
   */
  static open(options: SimulatedFleetOptions): SimulatedFleet {
    const { log, events } =
      options.directory === undefined ? { log: memoryLog(), events: [] } : FileLog.open(options.directory)
    try {
      const known = events.length > 0
      const world = known ? worldOfLog(events) : newWorld(options.size)
      requireSameSize(world.size, options.size, options.directory)
      for (const event of events) applyFleetEvent(world, event)
      const fleet = new SimulatedFleet(options, world, log)
      if (!known) fleet.record({ type: 'fleet', at: options.clock.now(), ...options.size })
      fleet.#resume(options.evacuationsBy ?? 'platform')
      return fleet
    } catch (error) {
      log.close()
      throw error
    }
  }

  /** @throws HostNotFoundError */
  host(name: HostName): SimulatedHost {
    const host = this.world.hosts.get(name)
    if (host === undefined) throw new HostNotFoundError(name)
    return host
  }

  /** @throws InstanceNotFoundError */
  guest(uuid: string): SimulatedGuest {
    const guest = this.world.guests.get(uuid)
    if (guest === undefined) throw new InstanceNotFoundError(uuid)
    return guest
  }

  /**
   * Writes an event down, lets it take effect and tells of it.
   *
   * @throws ComputeUnavailableError when it cannot be written; nothing is changed then
   */
  record(event: FleetEvent): void {
    this.#log.append(event)
    const changed = applyFleetEvent(this.world, event)
    if ('host' in event && !('instance' in event)) this.changes.tell({ host: event.host, instance: null })
    for (const guest of changed) this.changes.tell({ host: guest.host.name, instance: guest.uuid })
  }

  /** Takes an act on, to be done after `durationMs`. */
  accept(
    guest: SimulatedGuest,
    request: {
      act: GuestAct
      target: SimulatedHost
      key: string
      fence: number
      durationMs: number
      failsBecause: string | null
    },
  ): void {
    const { act, target, key, fence, durationMs, failsBecause } = request
    const at = this.#clock.now()
    const doneAt = at + durationMs
    const instance = guest.uuid
    this.record({ type: 'accepted', at, act, instance, host: target.name, key, fence, doneAt, failsBecause })
    this.#due.add(doneAt, guest)
    this.#finishDue()
  }

  /** Whether its restart elsewhere was left half done by a process that ended. */
  isAdrift({ uuid }: SimulatedGuest): boolean {
    return this.#adrift.has(uuid)
  }

  /** Goes on with a restart elsewhere that an earlier process left half done, when it is that act which asks. */
  carryOn(guest: SimulatedGuest, { key, durationMs }: { key: string; durationMs: number }): void {
    if (guest.pending?.key !== key || !this.#adrift.delete(guest.uuid)) return
    this.#due.add(this.#clock.now() + durationMs, guest)
    this.#finishDue()
  }

  /**
   * The guest's process dies.
   *
   * @throws InstanceNotFoundError, InstanceStateError when it does not run
   */
  killGuest(uuid: string): void {
    const guest = this.guest(uuid)
    if (!guest.runs) throw new InstanceStateError(`Guest ${uuid} does not run, so it cannot be killed.`)
    this.record({ type: 'killed', at: this.#clock.now(), instance: uuid, host: guest.host.name })
  }

  /**
   * The host dies (`crashed`: its power still reads on), loses its network (`isolated`: its guests run on, unseen) or
   * its power (`off`). Nothing happens to a host that is in that condition already.
   *
   * @throws HostNotFoundError
   */
  killHost(name: HostName, how: Exclude<HostCondition, 'serving'> = 'crashed'): void {
    const host = this.host(name)
    if (host.condition !== how) this.record({ type: 'host-down', at: this.#clock.now(), host: name, how })
  }

  /**
   * The host comes back, whatever was wrong with it; guests that went down with it stay down, as Nova does by default.
   *
   * @throws HostNotFoundError
   */
  powerOnHost(name: HostName): void {
    const host = this.host(name)
    if (host.condition !== 'serving') this.record({ type: 'host-up', at: this.#clock.now(), host: name })
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#timer?.[Symbol.dispose]()
    this.changes.clear()
    this.#log.close()
  }

  /** What had been accepted before the process ended is still to be done, by whoever does it. */
  #resume(evacuationsBy: EvacuationsBy): void {
    for (const guest of this.world.guests.values()) {
      if (guest.pending === null) continue
      if (guest.pending.act === 'evacuate' && evacuationsBy === 'process') this.#adrift.add(guest.uuid)
      else this.#due.add(guest.pending.doneAt, guest)
    }
    this.#finishDue()
  }

  #finishDue(): void {
    const now = this.#clock.now()
    for (let guest = this.#due.takeDue(now); guest !== undefined; guest = this.#due.takeDue(now)) {
      const event = completionOf(guest, now)
      if (event !== undefined) this.#recordOrRetry(guest, event)
    }
    this.#timer?.[Symbol.dispose]()
    this.#timer = undefined
    const { nextAt } = this.#due
    if (nextAt === undefined || this.#closed) return
    this.#timer = this.#clock.after(nextAt - now, () => this.#finishDue())
  }

  #recordOrRetry(guest: SimulatedGuest, event: FleetEvent): void {
    try {
      this.record(event)
    } catch (error) {
      this.#logger.error({ err: error, instance: guest.uuid }, errorMessage(error))
      this.#due.add(this.#clock.now() + WRITE_AGAIN_MS, guest)
    }
  }
}

function requireSameSize(found: FleetSize, wanted: FleetSize, directory: string | undefined): void {
  const words = ({ hosts, guests, seed, boundShare, stoppedShare }: FleetSize): string =>
    `${hosts} hosts, ${guests} guests, seed ${seed}, ${boundShare} bound, ${stoppedShare} stopped`
  if (words(found) === words(wanted)) return
  throw new InvalidInputError(
    `The directory ${directory} holds a simulated fleet of ${words(found)}, not of ${words(wanted)}. ` +
      `Use another directory, or delete its fleet.jsonl to begin with a new fleet.`,
  )
}
