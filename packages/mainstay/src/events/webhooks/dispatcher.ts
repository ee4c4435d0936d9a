import { errorMessage } from '../../core/errors.ts'
import { TaskGroup } from '../../core/task-group.ts'
import { Courier, type CourierDeps } from './courier.ts'
import { FOR_EVER, claimWebhooks, releaseLease, releaseLeases, renewLeases, type Claimed } from './leases.ts'
import { DEFAULT_DISPATCH_OPTIONS, type DispatchOptions } from './options.ts'

interface Running {
  readonly courier: Courier
  readonly stop: AbortController
  readonly ended: Promise<void>
}

/**
 * Delivers for every webhook that no other process delivers for: one courier each. It looks for them regularly, renews
 * its leases at the same time, and tells its couriers of news.
 *
 * Source: event-stream.md R39.
 */
export class WebhookDispatcher {
  readonly #deps: CourierDeps
  readonly #options: DispatchOptions
  readonly #owner: string
  readonly #tasks: TaskGroup
  readonly #couriers = new Map<string, Running>()
  #poked: PromiseWithResolvers<void> | undefined
  #again = false

  constructor(deps: CourierDeps, options: Partial<DispatchOptions> = {}) {
    this.#deps = deps
    this.#options = { ...DEFAULT_DISPATCH_OPTIONS, ...options }
    this.#owner = deps.ids.random()
    this.#tasks = new TaskGroup(deps)
  }

  /** Begins, for as long as it takes. */
  start(): void {
    this.#run('look after webhooks', async (signal) => await this.#look(signal))
    this.#run('hear of events for webhooks', async (signal) => await this.#listen(signal))
  }

  /** A webhook was made, changed or removed: whoever delivered for it stops, and it is taken up as it is now. */
  async changed(id: string): Promise<void> {
    const running = this.#couriers.get(id)
    running?.stop.abort()
    await running?.ended
    this.#again = true
    this.#poked?.resolve()
  }

  /** Lets nobody deliver any more, and gives the leases back. */
  async stop({ timeoutMs }: { timeoutMs: number }): Promise<void> {
    await this.#tasks.stop({ timeoutMs })
    try {
      await releaseLeases(this.#deps.store, this.#owner)
    } catch (error) {
      // They end by themselves.
      this.#deps.logger.warn(`The leases of webhooks were not given back: ${errorMessage(error)}`)
    }
  }

  #run(name: string, work: (signal: AbortSignal) => Promise<void>): void {
    this.#tasks.spawn(name, work).catch((error: unknown) => {
      if (!this.#tasks.signal.aborted) this.#deps.logger.error({ err: error }, `${name} has ended`)
    })
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#deps
    for (;;) {
      this.#again = false
      try {
        await this.#keepLeases()
        await this.#takeUp()
        // News that was missed is no news for longer than this.
        this.#wakeAll()
      } catch (error) {
        logger.warn(`Webhooks could not be looked for: ${errorMessage(error)}`)
      }
      if (this.#again) continue
      await this.#pause(clock.monotonic() + this.#options.lookMs, signal)
    }
  }

  async #pause(until: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps
    this.#poked = Promise.withResolvers()
    const stop = new AbortController()
    const either = AbortSignal.any([signal, stop.signal])
    const slept = clock.sleep(until - clock.monotonic(), { signal: either })
    try {
      await Promise.race([slept, this.#poked.promise])
    } finally {
      this.#poked = undefined
      stop.abort()
      slept.catch(() => undefined)
    }
  }

  /** Lengthens leases, and stops couriers whose lease is another's now. */
  async #keepLeases(): Promise<void> {
    const { store, clock } = this.#deps
    const { alone, leaseMs } = this.#options
    if (alone || this.#couriers.size === 0) return
    const own = await renewLeases(store, this.#owner, clock.now() + leaseMs)
    for (const [id, { courier, stop }] of this.#couriers) if (own.get(id) !== courier.fence) stop.abort()
  }

  async #takeUp(): Promise<void> {
    const { store, clock, figures } = this.#deps
    const { alone, leaseMs } = this.#options
    const now = clock.now()
    const until = alone ? FOR_EVER : now + leaseMs
    for (const claimed of await claimWebhooks(store, { owner: this.#owner, now, until, alone })) {
      const { id } = claimed.webhook
      const before = this.#couriers.get(id)
      before?.stop.abort()
      await before?.ended
      const courier = new Courier(this.#deps, this.#options, claimed)
      const stop = new AbortController()
      const ended = this.#tasks
        .spawn(`deliver webhook ${id}`, async (signal) => {
          await this.#deliver(courier, claimed, AbortSignal.any([signal, stop.signal]))
        })
        // What made it end was told where it happened, or is the end of this process.
        .catch(() => undefined)
        .finally(() => {
          if (this.#couriers.get(id)?.courier === courier) this.#couriers.delete(id)
          figures.delivering(this.#couriers.size)
        })
      this.#couriers.set(id, { courier, stop, ended })
      figures.delivering(this.#couriers.size)
    }
  }

  /** A fault of ours, or an event that nobody foresaw, ends a courier: after a pause it is taken up anew. */
  async #deliver(courier: Courier, { lease }: Claimed, signal: AbortSignal): Promise<void> {
    const { clock, logger, store } = this.#deps
    try {
      await courier.run(signal)
    } catch (error) {
      signal.throwIfAborted()
      logger.error({ err: error, webhook: lease.webhookId }, 'The delivery for a webhook has ended unexpectedly')
      await clock.sleep(this.#options.troubleMaxMs, { signal })
      await releaseLease(store, lease)
    }
  }

  /** Follows the log only to know that there is something new; couriers read for themselves. */
  async #listen(signal: AbortSignal): Promise<void> {
    const { log, clock, random, logger } = this.#deps
    const { troubleMinMs, troubleMaxMs } = this.#options
    for (let pauseMs = troubleMinMs; ; pauseMs = Math.min(troubleMaxMs, pauseMs * 2)) {
      try {
        const { epoch, head } = await log.extent()
        this.#wakeAll()
        for await (const _news of log.tail({ epoch, seq: head }, { signal })) {
          this.#wakeAll()
          pauseMs = troubleMinMs
        }
      } catch (error) {
        signal.throwIfAborted()
        logger.warn(`Webhooks hear nothing of the event log: ${errorMessage(error)}`)
      }
      await clock.sleep(pauseMs * (0.5 + random.next() / 2), { signal })
    }
  }

  #wakeAll(): void {
    for (const { courier } of this.#couriers.values()) courier.wake()
  }
}
