import type { Clock } from '../../core/clock.ts'
import type { TaskGroup } from '../../core/task-group.ts'
import type { ChangeFeed } from '../change-feed.ts'
import type { Acting, HostName } from '../compute.ts'
import { ComputeUnavailableError, InstanceNotFoundError, InstanceStateError } from '../errors.ts'
import type { GuestRecord } from './guest-record.ts'
import { startHere } from './guest-start.ts'
import { executes, hasProcess } from './instance-state.ts'
import { presentState } from './instance-view.ts'
import type { Inventory } from './inventory.ts'
import { byUuid, type LibvirtHost } from './libvirt-host.ts'
import { refusalsOf } from './refusals.ts'
import { refuseWhileRunning } from './seen-running.ts'

export interface GuestPowerOptions {
  readonly clock: Clock
  readonly tasks: TaskGroup
  readonly inventory: Inventory
  readonly hosts: ReadonlyMap<HostName, LibvirtHost>
  readonly feed: ChangeFeed
  readonly actTimeoutMs: number
  readonly gracefulStopMs: number
}

/** Starts and stops guests where they are. The caller holds the guest's mutex. */
export class GuestPower {
  readonly #options: GuestPowerOptions
  readonly #tasks = new Map<string, string>()

  constructor(options: GuestPowerOptions) {
    this.#options = options
  }

  /** What this process is doing to a guest (`task_state`). */
  taskOf(uuid: string): string | undefined {
    return this.#tasks.get(uuid)
  }

  /**
   * @throws InstanceStateError when it is not stopped, or is seen running on another host
   * @throws ComputeUnavailableError, InstanceRefusedError
   */
  async start(record: GuestRecord, { signal }: Acting): Promise<void> {
    const { clock, hosts, inventory, actTimeoutMs } = this.#options
    const { host, live } = await this.#look(record, signal)
    const others = [...hosts.values()].filter((each) => each !== host)
    await refuseWhileRunning(record, others, { signal })
    // A guest that was stopped only to fence its host is stopped for whoever starts it by hand.
    const state = presentState({ ...record, fencedAt: null }, live)
    if (state !== 'stopped') throw wrongState(record, state, 'started')
    await this.#during(record, 'powering-on', async () => {
      await startHere({ clock, inventory, host, actTimeoutMs }, record, { live, signal })
    })
  }

  /**
   * Asks the guest to power off and pulls its plug when it has not done so in time; at once when it cannot listen.
   *
   * @throws InstanceStateError when it is stopped
   * @throws ComputeUnavailableError, InstanceRefusedError
   */
  async stop(record: GuestRecord, { signal }: Acting): Promise<void> {
    const { inventory, gracefulStopMs, actTimeoutMs } = this.#options
    const { host, live } = await this.#look(record, signal)
    if (!hasProcess(live)) throw wrongState(record, 'stopped', 'stopped')
    const bounds = { signal, timeoutMs: actTimeoutMs }
    if (gracefulStopMs > 0 && executes(live)) await this.#askToStop(record, host, bounds)
    else await this.#pullPlug(record, host, bounds)
    await inventory.change(record.uuid, (now) =>
      now !== undefined && (now.regardedAsError || now.startingSince !== null)
        ? { ...now, regardedAsError: false, startingSince: null }
        : undefined,
    )
  }

  async #look(record: GuestRecord, signal: AbortSignal) {
    const host = this.#options.hosts.get(record.host)
    if (host === undefined) {
      throw new ComputeUnavailableError(
        `Host ${record.host} of guest ${record.uuid} (${record.name}) is not among the configured hosts. Add it again.`,
      )
    }
    const live = await host.guestState(record.uuid, { signal })
    if (live === undefined) throw new InstanceNotFoundError(record.uuid)
    return { host, live }
  }

  async #askToStop(
    record: GuestRecord,
    host: LibvirtHost,
    bounds: { signal: AbortSignal; timeoutMs: number },
  ): Promise<void> {
    const { tasks, actTimeoutMs } = this.#options
    const asking = host.call(`shut guest ${record.uuid} down`, bounds, async (connection, options) => {
      await connection.shutdown(byUuid(record.uuid), options)
    })
    await refusalsOf({ guest: record, host: host.name, what: 'stopped' }, asking)
    const name = `wait for guest ${record.uuid} to power off`
    void tasks.spawn(name, async (signal) => {
      await this.#during(record, 'powering-off', async () => {
        if (await this.#stopsByItself(record, host, signal)) return
        await this.#pullPlug(record, host, { signal, timeoutMs: actTimeoutMs })
      })
    })
  }

  async #stopsByItself({ uuid }: GuestRecord, host: LibvirtHost, signal: AbortSignal): Promise<boolean> {
    const { clock, feed, gracefulStopMs } = this.#options
    const deadline = clock.monotonic() + gracefulStopMs
    let news = Promise.withResolvers<void>()
    signal.addEventListener('abort', () => news.resolve(), { once: true })
    for (;;) {
      signal.throwIfAborted()
      news = Promise.withResolvers<void>()
      using _watching = feed.watchInstance(uuid, () => news.resolve())
      const live = await host.guestState(uuid, { signal })
      if (live === undefined || !hasProcess(live)) return true
      const leftMs = deadline - clock.monotonic()
      if (leftMs <= 0) return false
      using _timer = clock.after(leftMs, () => news.resolve())
      await news.promise
    }
  }

  async #pullPlug(
    record: GuestRecord,
    host: LibvirtHost,
    bounds: { signal: AbortSignal; timeoutMs: number },
  ): Promise<void> {
    const destroying = host.call(`destroy guest ${record.uuid}`, bounds, async (connection, options) => {
      await connection.destroy(byUuid(record.uuid), options)
    })
    await refusalsOf({ guest: record, host: host.name, what: 'stopped' }, destroying)
  }

  async #during({ uuid, host }: GuestRecord, task: string, work: () => Promise<void>): Promise<void> {
    this.#tasks.set(uuid, task)
    try {
      await work()
    } finally {
      this.#tasks.delete(uuid)
      this.#options.feed.tell({ host, instance: uuid })
    }
  }
}

function wrongState({ uuid, name }: GuestRecord, state: string, what: string): InstanceStateError {
  return new InstanceStateError(
    `Guest ${uuid} (${name}) cannot be ${what} because it is ${state}. Ask for its state again.`,
  )
}
