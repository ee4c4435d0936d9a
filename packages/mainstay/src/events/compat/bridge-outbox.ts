import { errorMessage } from '../../core/errors.ts'
import { toJson, type JsonObject } from '../../core/json.ts'
import type { Logger } from '../../core/logging.ts'
import type { BridgeSpool } from './bridge-options.ts'
import { eventTypeOf, type BridgedEvent } from './bridged-event.ts'
import type { EventQueue } from './event-queue.ts'
import type { RedisLink } from './redis-link.ts'

/** Events of the spool that are read in one go. */
const BATCH = 32

/** The way out of the bridge: onto the channel, or to where events wait for it. Source: event-stream.md 7.3. */
export class BridgeOutbox {
  readonly #link: RedisLink
  readonly #queue: EventQueue<BridgedEvent>
  readonly #spool: BridgeSpool | null
  readonly #channel: string
  readonly #logger: Logger
  readonly #level: 'info' | 'debug'

  constructor(deps: {
    readonly link: RedisLink
    readonly queue: EventQueue<BridgedEvent>
    readonly spool: BridgeSpool | null
    readonly channel: string
    readonly logger: Logger
    readonly eventLogLevel: 'info' | 'debug'
  }) {
    this.#link = deps.link
    this.#queue = deps.queue
    this.#spool = deps.spool
    this.#channel = deps.channel
    this.#logger = deps.logger
    this.#level = deps.eventLogLevel
  }

  /** Whether an earlier run has left events. */
  get hasLeftovers(): boolean {
    return this.#spool?.isEmpty === false
  }

  /** @returns whether Redis has it */
  async publish(event: BridgedEvent, text = toJson(event), when = ''): Promise<boolean> {
    const { client } = this.#link
    if (client === null) return false
    try {
      const receivers = await client.publish(this.#channel, text)
      this.#logger[this.#level](`Published ${eventTypeOf(event)} to ${receivers} receivers${when}`)
      if (receivers === 0) this.#logger.warn(`No Redis subscribers for event: ${eventTypeOf(event)}`)
      return true
    } catch (error) {
      this.#logger.error({ err: error }, `Error publishing an event to Redis: ${errorMessage(error)}`)
      return false
    }
  }

  /**
   * Lets an event wait.
   *
   * @param forManager whether it waits for the manager of this process instead of for Redis
   * @throws QueueFullError, EventSpoolFullError, EventSpoolUnwritableError
   */
  async keep(event: JsonObject, { forManager }: { forManager: boolean }): Promise<void> {
    if (this.#spool === null || forManager) this.#queue.put(event)
    else await this.#spool.append([event])
  }

  /** Publishes all that waits, in order. @returns false when Redis is away again */
  async drain(): Promise<boolean> {
    return (await this.#drainQueue()) && (await this.#drainSpool())
  }

  async #drainQueue(): Promise<boolean> {
    for (let event = this.#queue.first; event !== undefined; event = this.#queue.first) {
      if (!(await this.publish(event, toJson(event), ' after reconnect'))) return false
      this.#queue.shift()
      this.#queue.done()
    }
    return true
  }

  /** A failure in the middle of a batch publishes its beginning again the next time. */
  async #drainSpool(): Promise<boolean> {
    while (this.#spool?.isEmpty === false) {
      const { events, bytes } = await this.#spool.peek(BATCH)
      for (const event of events) {
        if (!(await this.publish(event, toJson(event), ' after reconnect'))) return false
      }
      await this.#spool.drop(bytes)
    }
    return true
  }
}
