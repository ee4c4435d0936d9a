import type { Clock } from '../../core/clock.ts'
import type { Logger } from '../../core/logging.ts'
import { awaitInstance } from '../await-instance.ts'
import type {
  Acting,
  Asking,
  Compute,
  ComputeChange,
  ComputeHost,
  HostName,
  Instance,
  InstanceMove,
} from '../compute.ts'
import { CapacityError } from '../errors.ts'
import { requireCertificate, type FenceCertificate } from '../fence-certificate.ts'
import { Faults, type Fault, type FaultPlan, type FaultyCall } from './faults.ts'
import { DEFAULT_LATENCY, PlatformCalls, type SimulatedLatency } from './platform-calls.ts'
import { checkEvacuate, checkStart, checkStop, chooseTarget, freeMib, taskStateOf } from './rules.ts'
import { SimulatedFleet, type EvacuationsBy } from './simulated-fleet.ts'
import { SimulatedPower } from './simulated-power.ts'
import { hasMove, type FleetSize, type GuestAct, type SimulatedGuest, type SimulatedHost } from './world.ts'

export const DEFAULT_FLEET_SIZE: FleetSize = { seed: 1, hosts: 12, guests: 120, boundShare: 0, stoppedShare: 0 }

export interface SimulatedComputeOptions {
  readonly clock: Clock
  readonly logger: Logger
  readonly size?: Partial<FleetSize>
  /** Where the fleet is kept so that it survives the process; without it, it does not. */
  readonly directory?: string | undefined
  readonly latency?: Partial<SimulatedLatency>
  /** What goes wrong by chance, decided by the seed of the fleet. */
  readonly faults?: FaultPlan
  /** Who carries on a restart elsewhere once it has begun; the platform, as Nova does, unless given. */
  readonly evacuationsBy?: EvacuationsBy
}

/**
 * A platform with a simulated fleet. It keeps Nova's rules: what it accepts it does later, it goes on saying `active`
 * of the guests of a dead host, and it believes a valid certificate. Whether that belief was right is seen in
 * `fleet.world.strays` and by `auditFleetLog`.
 */
export class SimulatedCompute implements Compute {
  readonly driver = 'simulated'
  readonly schedules = true
  /** The fleet from outside: kill a guest, a host, bring it back. */
  readonly fleet: SimulatedFleet
  readonly power: SimulatedPower
  /** To order that a call goes wrong. */
  readonly faults: Faults
  readonly #clock: Clock
  readonly #calls: PlatformCalls
  readonly #evacuationsBy: EvacuationsBy

  /** @throws InvalidInputError when the directory holds a fleet of another size */
  constructor(options: SimulatedComputeOptions) {
    const { clock, logger, size, directory, latency, faults = {}, evacuationsBy = 'platform' } = options
    this.#clock = clock
    this.#evacuationsBy = evacuationsBy
    const whole = { ...DEFAULT_FLEET_SIZE, ...size }
    this.fleet = SimulatedFleet.open({ clock, logger, directory, size: whole, evacuationsBy })
    // Counting the events in gives a process that was started again other chances than the one that died.
    this.faults = new Faults(faults, whole.seed + this.fleet.world.eventCount)
    this.#calls = new PlatformCalls({ clock, faults: this.faults, latency: { ...DEFAULT_LATENCY, ...latency } })
    this.power = new SimulatedPower({ fleet: this.fleet, calls: this.#calls })
  }

  async listHosts(asking: Asking): Promise<ComputeHost[]> {
    return await this.#ask('all hosts', asking, () => [...this.fleet.world.hosts.values()].map(hostView))
  }

  async findHost(name: HostName, asking: Asking): Promise<ComputeHost | undefined> {
    return await this.#ask(name, asking, () => {
      const host = this.fleet.world.hosts.get(name)
      return host === undefined ? undefined : hostView(host)
    })
  }

  async listInstances(host: HostName, asking: Asking): Promise<Instance[]> {
    return await this.#ask(host, asking, () => [...this.fleet.host(host).guests].map(instanceView))
  }

  async findInstance(uuid: string, asking: Asking): Promise<Instance | undefined> {
    return await this.#ask(uuid, asking, () => {
      const guest = this.fleet.world.guests.get(uuid)
      return guest === undefined ? undefined : instanceView(guest)
    })
  }

  async disableHost(host: HostName, { reason }: { reason: string }, acting: Acting): Promise<void> {
    await this.#act('disable-host', host, acting, () => {
      if (this.fleet.host(host).disabledReason === reason) return
      this.fleet.record({ type: 'host-disabled', host, reason, ...this.#stamp(acting) })
    })
  }

  async enableHost(host: HostName, acting: Acting): Promise<void> {
    await this.#act('enable-host', host, acting, () => {
      if (this.fleet.host(host).disabledReason === null) return
      this.fleet.record({ type: 'host-enabled', host, ...this.#stamp(acting) })
    })
  }

  async start(instance: string, acting: Acting): Promise<void> {
    await this.#act('start', instance, acting, (fault) => {
      const guest = this.fleet.guest(instance)
      if (guest.lastKey === acting.key) return
      checkStart(guest)
      this.#accept('start', guest, guest.host, acting, fault)
    })
  }

  async stop(instance: string, acting: Acting): Promise<void> {
    await this.#act('stop', instance, acting, (fault) => {
      const guest = this.fleet.guest(instance)
      if (guest.lastKey === acting.key) return
      checkStop(guest)
      this.#accept('stop', guest, guest.host, acting, fault)
    })
  }

  async resetState(instance: string, state: 'active' | 'error', acting: Acting): Promise<void> {
    await this.#act('reset-state', instance, acting, () => {
      const guest = this.fleet.guest(instance)
      this.fleet.record({ type: 'state-reset', instance, host: guest.host.name, state, ...this.#stamp(acting) })
    })
  }

  async evacuate(
    instance: string,
    { target, certificate }: { target: HostName | undefined; certificate: FenceCertificate },
    acting: Acting,
  ): Promise<void> {
    await this.#act('evacuate', instance, acting, (fault) => {
      const guest = this.fleet.guest(instance)
      if (hasMove(this.fleet.world, instance, acting.key)) {
        if (!this.fleet.isAdrift(guest)) return
        requireCertificate(certificate, guest.host.name, this.#clock.now())
        this.fleet.carryOn(guest, { key: acting.key, durationMs: this.#calls.latency.evacuateMs })
        return
      }
      requireCertificate(certificate, guest.host.name, this.#clock.now())
      checkEvacuate(guest)
      const wanted = target === undefined ? undefined : this.fleet.host(target)
      if (fault === 'capacity') throw new CapacityError(`No valid host was found for guest ${instance}.`)
      this.#accept('evacuate', guest, chooseTarget(this.fleet.world, guest, wanted), acting, fault)
    })
    if (this.#evacuationsBy === 'process') await this.#untilIdle(instance, acting)
  }

  async listMoves(instance: string, { sinceMs }: { sinceMs: number }, asking: Asking): Promise<InstanceMove[]> {
    return await this.#ask(instance, asking, () =>
      (this.fleet.world.moves.get(instance) ?? [])
        .filter((move) => move.startedAt >= sinceMs)
        .map(({ key, source, target, startedAt, state, message }) => ({
          key,
          instance,
          source,
          target,
          startedAt,
          state,
          message,
        }))
        .toReversed(),
    )
  }

  async waitForInstance(
    instance: string,
    until: (instance: Instance) => boolean,
    { timeoutMs, signal }: { timeoutMs: number; pollMs: number; signal: AbortSignal },
  ): Promise<Instance> {
    return await awaitInstance(
      {
        clock: this.#clock,
        instance,
        timeoutMs,
        signal,
        // The fleet tells of every change, so there is nothing to poll for.
        pollMs: undefined,
        look: (signal) => this.findInstance(instance, { signal }),
        watch: (wake) => this.fleet.changes.watchInstance(instance, wake),
      },
      until,
    )
  }

  watch(listener: (change: ComputeChange) => void): Disposable {
    return this.fleet.changes.watch(listener)
  }

  async close(): Promise<void> {
    this.fleet.close()
  }

  /** Whoever carries an act on is busy with it. */
  async #untilIdle(instance: string, { signal }: Asking): Promise<void> {
    while (this.fleet.guest(instance).pending !== null) {
      signal.throwIfAborted()
      const news = Promise.withResolvers<void>()
      using _watching = this.fleet.changes.watchInstance(instance, () => news.resolve())
      signal.addEventListener('abort', () => news.resolve(), { once: true })
      await news.promise
    }
  }

  async #ask<T>(subject: string, { signal }: Asking, answer: () => T): Promise<T> {
    return await this.#calls.carry({ call: 'ask', subject, durationMs: this.#calls.latency.askMs, signal }, answer)
  }

  async #act(
    call: FaultyCall,
    subject: string,
    { signal }: Acting,
    effect: (fault: Fault | undefined) => void,
  ): Promise<void> {
    const { requestMs } = this.#calls.latency
    await this.#calls.carry({ call, subject, durationMs: requestMs, signal }, (fault) => {
      if (fault !== 'lie') effect(fault)
    })
  }

  #accept(
    act: GuestAct,
    guest: SimulatedGuest,
    target: SimulatedHost,
    { key, fence }: Acting,
    fault: Fault | undefined,
  ): void {
    const { startMs, stopMs, evacuateMs } = this.#calls.latency
    const durationMs = { start: startMs, stop: stopMs, evacuate: evacuateMs }[act]
    const failsBecause = fault === 'fail-later' ? `The simulated platform could not ${act} the guest.` : null
    this.fleet.accept(guest, { act, target, key, fence, durationMs, failsBecause })
  }

  #stamp({ key, fence }: Acting): { at: number; key: string; fence: number } {
    return { at: this.#clock.now(), key, fence }
  }
}

function hostView(host: SimulatedHost): ComputeHost {
  return {
    name: host.name,
    state: host.condition === 'serving' ? 'up' : 'down',
    enabled: host.disabledReason === null,
    disabledReason: host.disabledReason,
    memoryMib: host.memoryMib,
    freeMemoryMib: freeMib(host),
    vcpus: host.vcpus,
  }
}

function instanceView(guest: SimulatedGuest): Instance {
  return {
    uuid: guest.uuid,
    name: guest.name,
    host: guest.host.name,
    state: guest.state,
    taskState: taskStateOf(guest),
    locked: false,
    metadata: guest.metadata,
    memoryMib: guest.memoryMib,
    vcpus: guest.vcpus,
    boundBecause: guest.boundBecause,
    projectId: guest.projectId,
  }
}
