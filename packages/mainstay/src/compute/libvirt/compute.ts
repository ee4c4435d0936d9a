import { LibvirtError } from '@mainstay/libvirt-rpc'

import { errorMessage } from '../../core/errors.ts'
import { TaskGroup } from '../../core/task-group.ts'
import { awaitInstance } from '../await-instance.ts'
import { ChangeFeed } from '../change-feed.ts'
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
import { ComputeUnavailableError, HostNotFoundError, InstanceNotFoundError } from '../errors.ts'
import type { FenceCertificate, FenceEvidence } from '../fence-certificate.ts'
import { destroyAllGuests } from './destroy-all-guests.ts'
import { DisabledHosts } from './disabled-hosts.ts'
import { evacuateGuest, type EvacuationServices } from './evacuation.ts'
import { freeMemoryMib } from './free-memory.ts'
import { FactsReader } from './guest-facts.ts'
import { GuestLookup } from './guest-lookup.ts'
import { GuestNotices } from './guest-notices.ts'
import { GuestPower } from './guest-power.ts'
import { hasReached, isMoving, openMove, type GuestRecord } from './guest-record.ts'
import { Inventory } from './inventory.ts'
import { InventoryKeeper } from './inventory-keeper.ts'
import { KeyedMutex } from './keyed-mutex.ts'
import { LibvirtHost, orSilence, type CallBounds } from './libvirt-host.ts'
import { News } from './news.ts'
import { type LibvirtComputeOptions } from './options.ts'
import { OwnStarts } from './own-starts.ts'
import { DEFAULT_LIBVIRT_SETTINGS, type LibvirtSettings } from './settings.ts'
import { TwoCopiesAlarm } from './two-copies-alarm.ts'

/**
 * Hosts with libvirt and nothing else: no scheduler, and nobody who remembers the guests of a host that is dead. The
 * inventory in the database is that memory, and the place where a restart elsewhere is claimed (see `evacuateGuest`).
 *
 * What is told of a guest depends on the question. `findInstance` and `waitForInstance` tell what is so *now*: `unknown`
 * while its host does not answer. `listInstances` of a host that does not answer tells what each guest did when it was
 * last seen, because a plan must know which of them ran.
 *
 * Transient domains are known while they run; libvirt itself forgets them when they end.
 * That a host is disabled is kept in the database: libvirt has no such notion.
 */
export class LibvirtCompute implements Compute {
  readonly driver = 'libvirt'
  readonly schedules = false
  readonly #options: LibvirtComputeOptions
  readonly #settings: LibvirtSettings
  readonly #hosts: ReadonlyMap<HostName, LibvirtHost>
  readonly #inventory: Inventory
  readonly #disabledHosts: DisabledHosts
  readonly #lookup: GuestLookup
  readonly #feed: ChangeFeed
  readonly #tasks: TaskGroup
  readonly #guestMutex = new KeyedMutex()
  readonly #keeper: InventoryKeeper
  readonly #news: News
  readonly #power: GuestPower
  readonly #evacuation: EvacuationServices

  private constructor(options: LibvirtComputeOptions) {
    const { clock, logger, ids, store, publish } = options
    const settings = { ...DEFAULT_LIBVIRT_SETTINGS, ...options.settings }
    const tasks = new TaskGroup({ clock, logger })
    const inventory = new Inventory(store)
    const disabledHosts = new DisabledHosts(store)
    const facts = new FactsReader(settings)
    const feed = new ChangeFeed(logger)
    const services = { clock, tasks, timing: settings }
    const hosts = new Map(options.hosts.map((each) => [each.name, new LibvirtHost(each, services)]))
    const notices = new GuestNotices({ clock, ids, logger, publish })
    const alarm = new TwoCopiesAlarm(notices)
    const guestMutex = this.#guestMutex
    const ownStarts = new OwnStarts({ inventory, facts, mode: settings.autostart, notices })
    this.#keeper = new InventoryKeeper({ inventory, hosts, guestMutex, alarm, ownStarts, clock, logger })
    const { refreshIntervalMs, reservedMemoryMib, actTimeoutMs, gracefulStopMs } = settings
    this.#news = new News({ clock, logger, tasks, feed, keeper: this.#keeper, hosts, refreshIntervalMs })
    this.#power = new GuestPower({ clock, tasks, inventory, hosts, feed, actTimeoutMs, gracefulStopMs })
    this.#evacuation = {
      clock,
      inventory,
      hosts,
      disabledHosts,
      hostMutex: new KeyedMutex(),
      factsOf: (record) => facts.of(record),
      taken: new Map(),
      reservedMemoryMib,
      actTimeoutMs,
    }
    this.#options = options
    this.#settings = settings
    this.#hosts = hosts
    this.#inventory = inventory
    this.#disabledHosts = disabledHosts
    this.#lookup = new GuestLookup({
      inventory,
      hosts,
      facts,
      keeper: this.#keeper,
      taskOf: (uuid) => this.#power.taskOf(uuid),
    })
    this.#feed = feed
    this.#tasks = tasks
  }

  /** Connects to all hosts. @returns once each has been reached and looked at, or has not answered */
  static async open(options: LibvirtComputeOptions): Promise<LibvirtCompute> {
    const compute = new LibvirtCompute(options)
    await Promise.all([...compute.#hosts.values()].map(async (host) => await host.start(compute.#news)))
    await compute.#news.settled()
    return compute
  }

  async listHosts(asking: Asking): Promise<ComputeHost[]> {
    asking.signal.throwIfAborted()
    return await Promise.all([...this.#hosts.values()].map(async (host) => await this.#hostView(host, asking)))
  }

  async findHost(name: HostName, asking: Asking): Promise<ComputeHost | undefined> {
    asking.signal.throwIfAborted()
    const host = this.#hosts.get(name)
    return host === undefined ? undefined : await this.#hostView(host, asking)
  }

  async listInstances(name: HostName, asking: Asking): Promise<Instance[]> {
    asking.signal.throwIfAborted()
    return await this.#lookup.listOn(this.#host(name), asking)
  }

  async findInstance(uuid: string, asking: Asking): Promise<Instance | undefined> {
    asking.signal.throwIfAborted()
    return await this.#lookup.find(uuid, asking)
  }

  async disableHost(host: HostName, { reason }: { reason: string }, { signal }: Acting): Promise<void> {
    signal.throwIfAborted()
    await this.#disabledHosts.add(this.#host(host).name, reason, this.#options.clock.now())
    this.#feed.tell({ host, instance: null })
  }

  async enableHost(host: HostName, { signal }: Acting): Promise<void> {
    signal.throwIfAborted()
    await this.#disabledHosts.remove(this.#host(host).name)
    this.#feed.tell({ host, instance: null })
  }

  /** @throws also ComputeUnavailableError when the guest's host does not answer, InstanceRefusedError */
  async start(instance: string, acting: Acting): Promise<void> {
    await this.#withGuest(instance, acting, async (record) => await this.#power.start(record, acting))
  }

  /** @throws also ComputeUnavailableError when the guest's host does not answer, InstanceRefusedError */
  async stop(instance: string, acting: Acting): Promise<void> {
    await this.#withGuest(instance, acting, async (record) => await this.#power.stop(record, acting))
  }

  /** `error` holds until the guest is stopped, moved or reset; after `active` its true state shows again. */
  async resetState(instance: string, state: 'active' | 'error', acting: Acting): Promise<void> {
    await this.#withGuest(instance, acting, async (record) => {
      await this.#inventory.change(instance, (now) => now && { ...now, regardedAsError: state === 'error' })
      this.#feed.tell({ host: record.host, instance })
    })
  }

  /** @throws also CapacityError when no target is named, InstanceRefusedError when the target refuses the guest */
  async evacuate(
    instance: string,
    { target, certificate }: { target: HostName | undefined; certificate: FenceCertificate },
    acting: Acting,
  ): Promise<void> {
    const before = await this.#withGuest(instance, acting, async (record) => {
      await evacuateGuest(this.#evacuation, { instance, target, certificate }, acting)
      return record
    })
    const after = await this.#inventory.find(instance)
    for (const host of new Set([before.host, after?.host ?? before.host])) this.#feed.tell({ host, instance })
    await this.#clearSource(before.host, instance, acting)
  }

  async listMoves(instance: string, { sinceMs }: { sinceMs: number }, asking: Asking): Promise<InstanceMove[]> {
    asking.signal.throwIfAborted()
    const record = await this.#inventory.find(instance)
    if (record === undefined) return []
    const live = isMoving(record) ? await this.#lookup.stateOf(record, asking) : undefined
    const atTarget = typeof live === 'object' ? live : undefined
    return record.moves
      .map((move): InstanceMove => {
        const { key, source, target, startedAt, done } = move
        const told = { key, instance, source, target, startedAt }
        if (done) return { ...told, state: 'done', message: null }
        if (move !== openMove(record))
          return { ...told, state: 'failed', message: `Host ${target} died before it ended.` }
        return { ...told, state: hasReached(move, atTarget) ? 'done' : 'running', message: null }
      })
      .filter(({ startedAt }) => startedAt >= sinceMs)
      .toReversed()
  }

  async waitForInstance(
    instance: string,
    until: (instance: Instance) => boolean,
    { timeoutMs, pollMs, signal }: { timeoutMs: number; pollMs: number; signal: AbortSignal },
  ): Promise<Instance> {
    return await awaitInstance(
      {
        clock: this.#options.clock,
        instance,
        timeoutMs,
        pollMs,
        signal,
        look: async (signal) => await this.findInstance(instance, { signal }),
        watch: (wake) => this.#feed.watchInstance(instance, wake),
      },
      until,
    )
  }

  watch(listener: (change: ComputeChange) => void): Disposable {
    return this.#feed.watch(listener)
  }

  /**
   * Ends every guest of a host through its own libvirtd, for a fence that proves it. The guests are remembered as such
   * that are to run again.
   *
   * @returns what was seen afterwards
   * @throws HostNotFoundError, ComputeUnavailableError, InstanceRefusedError when a guest does not go,
   *   GuestUnaccountedError when one that ran there was not seen to end
   */
  async destroyAllGuests(name: HostName, { signal }: Asking): Promise<FenceEvidence[]> {
    const { clock } = this.#options
    const bounds = { signal, timeoutMs: this.#settings.actTimeoutMs }
    return await destroyAllGuests(
      this.#host(name),
      {
        clock,
        recorded: async () => await this.#inventory.listOn(name),
        around: async ({ uuid }, destroy) => await this.#fenced(uuid, name, bounds, destroy),
      },
      bounds,
    )
  }

  async close(): Promise<void> {
    this.#news.stop()
    this.#feed.clear()
    await Promise.all([...this.#hosts.values()].map(async (host) => await host.close()))
    await this.#tasks.stop({ timeoutMs: this.#settings.closeTimeoutMs })
  }

  #host(name: HostName): LibvirtHost {
    const host = this.#hosts.get(name)
    if (host === undefined) throw new HostNotFoundError(name)
    return host
  }

  async #hostView(host: LibvirtHost, bounds: CallBounds): Promise<ComputeHost> {
    const disabledReason = await this.#disabledHosts.reasonOf(host.name)
    const free = host.state === 'up' ? await orSilence(freeMemoryMib(host, this.#settings, bounds)) : undefined
    return {
      name: host.name,
      // A connection that stands but brings no answer proves nothing.
      state: host.state === 'up' && free === undefined ? 'unknown' : host.state,
      enabled: disabledReason === null,
      disabledReason,
      memoryMib: Math.floor((host.node?.memoryKiB ?? 0) / 1024),
      // What is not known to be free is not free.
      freeMemoryMib: Math.max(0, free ?? 0),
      vcpus: host.node?.cpus ?? 0,
    }
  }

  async #withGuest<T>(uuid: string, { signal }: Acting, work: (record: GuestRecord) => Promise<T>): Promise<T> {
    signal.throwIfAborted()
    await this.#lookup.record(uuid, { signal })
    return await this.#guestMutex.run(uuid, async () => {
      signal.throwIfAborted()
      const record = await this.#inventory.find(uuid)
      if (record === undefined) throw new InstanceNotFoundError(uuid)
      return await work(record)
    })
  }

  /** The guest lives elsewhere now. A source that does not answer is cleared when it comes back. */
  async #clearSource(name: HostName, uuid: string, bounds: CallBounds): Promise<void> {
    const source = this.#hosts.get(name)
    if (source === undefined || source.state !== 'up') return
    try {
      await this.#keeper.refreshGuest(source, uuid, bounds)
    } catch (error) {
      if (!(error instanceof ComputeUnavailableError) && !(error instanceof LibvirtError)) throw error
      this.#options.logger.warn({ err: error, host: name, instance: uuid }, errorMessage(error))
    }
  }

  /**
   * Lets a guest be destroyed, remembered before so that a crash in between forgets nothing, and again after so that no
   * look from before can undo it.
   */
  async #fenced(uuid: string, host: HostName, bounds: CallBounds, destroy: () => Promise<void>): Promise<void> {
    if ((await this.#inventory.find(uuid)) === undefined)
      await this.#keeper.refreshGuest(this.#host(host), uuid, bounds)
    const remember = async (change: Partial<GuestRecord>): Promise<void> => {
      const fencedAt = this.#options.clock.now()
      const fenced = { ...change, fencedAt, startingSince: null }
      await this.#inventory.change(uuid, (now) => (now?.host === host ? { ...now, ...fenced } : undefined))
    }
    await this.#guestMutex.run(uuid, async () => {
      await remember({})
      await destroy()
      // Its libvirtd saw it end, which counts also after that libvirtd has forgotten it.
      await remember({ runAgain: { since: this.#options.clock.now(), endSeen: true } })
    })
  }
}
