import type { Clock } from '../../core/clock.ts'
import { errorMessage } from '../../core/errors.ts'
import type { Logger } from '../../core/logging.ts'
import type { TaskGroup } from '../../core/task-group.ts'
import type { ChangeFeed } from '../change-feed.ts'
import type { HostName } from '../compute.ts'
import { ComputeUnavailableError } from '../errors.ts'
import type { InventoryKeeper } from './inventory-keeper.ts'
import type { HostListener, LibvirtHost } from './libvirt-host.ts'

export interface NewsOptions {
  readonly clock: Clock
  readonly logger: Logger
  readonly tasks: TaskGroup
  readonly feed: ChangeFeed
  readonly keeper: InventoryKeeper
  readonly hosts: ReadonlyMap<HostName, LibvirtHost>
  readonly refreshIntervalMs: number
}

/**
 * Passes the hosts' news on at once, and has the inventory follow: one guest after its news, all guests of a host when
 * its connection stands, everything now and then although no news came.
 */
export class News implements HostListener {
  readonly #options: NewsOptions
  readonly #refreshing = new Map<HostName, Promise<void>>()
  #timer: Disposable | undefined

  constructor(options: NewsOptions) {
    this.#options = options
    this.#rest()
  }

  connected(host: LibvirtHost): void {
    this.#options.feed.tell({ host: host.name, instance: null })
    this.#refresh(host)
  }

  lost(host: LibvirtHost): void {
    this.#options.feed.tell({ host: host.name, instance: null })
  }

  guestChanged(host: LibvirtHost, uuid: string): void {
    const { feed, keeper } = this.#options
    feed.tell({ host: host.name, instance: uuid })
    void this.#inBackground(`look at guest ${uuid} of host ${host.name}`, async (signal) => {
      await keeper.refreshGuest(host, uuid, { signal })
    })
  }

  /** Resolves when no host is being looked at any more. */
  async settled(): Promise<void> {
    await Promise.all(this.#refreshing.values())
  }

  stop(): void {
    this.#timer?.[Symbol.dispose]()
  }

  #rest(): void {
    const { clock, hosts, refreshIntervalMs } = this.#options
    this.#timer = clock.after(refreshIntervalMs, () => {
      for (const host of hosts.values()) if (host.state === 'up') this.#refresh(host)
      this.#rest()
    })
  }

  #refresh(host: LibvirtHost): void {
    const { keeper } = this.#options
    const before = this.#refreshing.get(host.name) ?? Promise.resolve()
    const mine = this.#inBackground(`look at the guests of host ${host.name}`, async (signal) => {
      await before
      await keeper.refreshHost(host, { signal })
    })
    this.#refreshing.set(host.name, mine)
  }

  async #inBackground(name: string, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const { tasks } = this.#options
    if (!tasks.signal.aborted) await tasks.spawn(name, async (signal) => await this.#orSaySo(name, work, signal))
  }

  /** The host is looked at as a whole when its connection stands again, so nothing is missed for good. */
  async #orSaySo(name: string, work: (signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void> {
    try {
      await work(signal)
    } catch (error) {
      if (signal.aborted) return
      const level = error instanceof ComputeUnavailableError ? 'warn' : 'error'
      this.#options.logger[level]({ err: error, task: name }, errorMessage(error))
    }
  }
}
