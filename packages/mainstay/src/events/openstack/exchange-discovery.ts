import type { Clock } from '../../core/clock.ts'
import { errorMessage } from '../../core/errors.ts'
import type { Logger } from '../../core/logging.ts'
import { loopStarter, type LoopTask, type StartLoop } from '../compat/loop-task.ts'
import type { AmqpConnection, ExchangeProperties } from './amqp.ts'
import type { NotificationSource } from './notification-source.ts'

/** A source whose exchange was seen. */
export interface AvailableSource extends NotificationSource {
  readonly exchangeProperties: ExchangeProperties
}

export interface ExchangeDiscoveryOptions {
  readonly clock: Clock
  readonly logger: Logger
  readonly sources: readonly NotificationSource[]
  readonly startLoop?: StartLoop
  /** How often exchanges that are missing are looked for. */
  readonly intervalMs?: number
}

const PROPERTIES: ExchangeProperties = { type: 'topic', durable: true }
const STOP_TIMEOUT_MS = 5_000

/**
 * Knows which exchanges are there. A service makes its exchange when it sends its first notification, which may be long
 * after we have started; we never make one ourselves.
 *
 * What was found stays known: a broker that was restarted gets its consumers back without another search.
 *
 * Source: event-stream.md 8.2.
 */
export class ExchangeDiscovery {
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #sources: readonly NotificationSource[]
  readonly #startLoop: StartLoop
  readonly #intervalMs: number
  readonly #available = new Map<NotificationSource, AvailableSource>()
  #stopping = new AbortController()
  #task: LoopTask | undefined

  constructor({ clock, logger, sources, startLoop, intervalMs = 60_000 }: ExchangeDiscoveryOptions) {
    this.#clock = clock
    this.#logger = logger
    this.#sources = sources
    this.#startLoop = startLoop ?? loopStarter({ clock, logger })
    this.#intervalMs = intervalMs
  }

  get available(): readonly AvailableSource[] {
    return [...this.#available.values()]
  }

  /** Whether nothing is left to look for. */
  get complete(): boolean {
    return this.#available.size === this.#sources.length
  }

  /** Looks for it again: it was not as it seemed. */
  forget(queue: string): void {
    for (const source of this.#available.keys()) if (source.queue === queue) this.#available.delete(source)
  }

  /**
   * Whether an exchange is there. A channel of its own, because a passive declaration that fails closes it.
   *
   * @throws what opening a channel throws
   */
  async checkExchange(connection: AmqpConnection, exchange: string): Promise<ExchangeProperties | null> {
    const channel = await connection.openChannel()
    try {
      await channel.declareExchange({ exchange, ...PROPERTIES, passive: true })
      return PROPERTIES
    } catch (error) {
      this.#logger.debug({ err: error }, `The exchange ${exchange} is not there: ${errorMessage(error)}`)
      return null
    } finally {
      await channel.close()
    }
  }

  /** Looks for the exchanges that were not seen yet. @returns whether there are new ones */
  async checkForNewExchanges(connection: AmqpConnection): Promise<boolean> {
    let found = false
    for (const source of this.#sources) {
      if (this.#available.has(source)) continue
      try {
        const exchangeProperties = await this.checkExchange(connection, source.exchange)
        if (exchangeProperties === null) continue
        this.#available.set(source, { ...source, exchangeProperties })
        this.#logger.info(`Notifications of ${source.service} are at the exchange ${source.exchange}`)
        found = true
      } catch (error) {
        this.#logger.warn({ err: error }, `Exchanges cannot be looked for: ${errorMessage(error)}`)
        return found
      }
    }
    return found
  }

  /** Waits until at least one exchange is there. @throws the signal's reason */
  async waitForExchanges(connection: AmqpConnection, signal: AbortSignal): Promise<void> {
    while (this.#available.size === 0) {
      signal.throwIfAborted()
      if (await this.checkForNewExchanges(connection)) return
      this.#logger.info('No service has sent a notification yet: there is no exchange to listen to')
      await this.#clock.sleep(this.#intervalMs, { signal })
    }
  }

  /** Goes on looking in the background, unless nothing is left to look for. @param onFound is told of new ones */
  start(connection: AmqpConnection, onFound: () => void): void {
    if (this.complete) return
    this.#stopping = new AbortController()
    this.#task = this.#startLoop('exchange discovery', async () => await this.run(connection, onFound))
  }

  /** Looks until it is stopped or nothing is left to look for. */
  async run(connection: AmqpConnection, onFound: () => void): Promise<void> {
    const { signal } = this.#stopping
    while (!signal.aborted && !this.complete) {
      await this.#clock.sleep(this.#intervalMs, { signal }).catch(stoppedWaiting(signal))
      if (signal.aborted) return
      if (await this.checkForNewExchanges(connection)) onFound()
    }
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    if (this.#task?.ended === false) await this.#task.wait({ timeoutMs: STOP_TIMEOUT_MS })
    this.#task = undefined
  }
}

/** A wait that was ended by stopping is over; anything else is a defect. */
function stoppedWaiting(signal: AbortSignal): (error: unknown) => void {
  return (error) => {
    if (!signal.aborted) throw error
  }
}
