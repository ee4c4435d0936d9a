import type { Clock } from '../../core/clock.ts'
import { errorMessage } from '../../core/errors.ts'
import type { Logger } from '../../core/logging.ts'
import type { TaskGroup } from '../../core/task-group.ts'
import type { Store } from '../../store/index.ts'
import type { BusMessage } from './bus-message.ts'
import { settleBusOutbox, takeFromBusOutbox, trimBusOutbox } from './bus-outbox.ts'
import { sendInOrder } from './send-in-order.ts'

export interface BusRelayOptions {
  readonly store: Store
  readonly clock: Clock
  readonly tasks: TaskGroup
  readonly logger: Logger
  /** Begins to send at once, before it returns, so that messages leave in the order of the calls; resolves when the bus has it. */
  readonly deliver: (message: BusMessage, options: { signal: AbortSignal }) => Promise<void>
  /** How often it is looked without being told: other processes write here as well. */
  readonly pollMs: number
  /** How long a message waits for a bus that is away. */
  readonly keepMs: number
  /** How long a process that was killed keeps others from sending what it took. */
  readonly takenForMs?: number
  /** How many messages may wait for their confirmation at once. */
  readonly inFlight?: number
}

/** Messages that are taken in one go. */
const BATCH = 100

/** Enough to hide the way to the bus and back, few enough to send them again. */
const IN_FLIGHT = 32

/**
 * Carries messages from their table to the bus, in order, each at least once: one is forgotten only when the bus has
 * confirmed it and all before it. When it refuses one, that and all after it are sent again, confirmed or not, so that they
 * are there in order. Whoever wrote the message does not wait for any of this.
 *
 *   waiting ──poked, or the poll is due──▶ sending ──nothing is left, or the bus is away──▶ waiting
 *
 * A bus that is away for longer than messages are kept loses the oldest of them, and the log says how many.
 *
 * Source: ha-api.md 18.
 */
export class BusRelay {
  readonly #options: BusRelayOptions
  #poked = Promise.withResolvers<void>()

  constructor(options: BusRelayOptions) {
    this.#options = options
  }

  start(): void {
    void this.#options.tasks.spawn('carry notifications to the message bus', async (signal) => await this.#run(signal))
  }

  /** Something was committed. */
  poke(): void {
    this.#poked.resolve()
  }

  /** @returns whether there may be more to send at once */
  async carry(signal: AbortSignal): Promise<boolean> {
    const { store, clock, logger, deliver, keepMs, takenForMs = 60_000, inFlight = IN_FLIGHT } = this.#options
    const lost = await trimBusOutbox(store, clock.now() - keepMs)
    if (lost > 0) logger.error(`The message bus was away for too long: ${lost} notifications were dropped.`)
    const nowMs = clock.now()
    const waiting = await takeFromBusOutbox(store, { limit: BATCH, nowMs, untilMs: nowMs + takenForMs })
    const seqs = waiting.map(({ seq }) => seq)
    const send = async (message: BusMessage): Promise<void> => await deliver(message, { signal })
    const { arrived, failures } = await sendInOrder(waiting, send, inFlight)
    await settleBusOutbox(store, { sent: seqs.slice(0, arrived), unsent: seqs.slice(arrived) })
    if (failures.length > 0) throw failures[0]
    return waiting.length === BATCH
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock, logger, pollMs } = this.#options
    while (!signal.aborted) {
      this.#poked = Promise.withResolvers()
      try {
        if (await this.carry(signal)) continue
      } catch (error) {
        signal.throwIfAborted()
        logger.warn({ err: error }, `Notifications wait for the message bus: ${errorMessage(error)}`)
        await clock.sleep(pollMs, { signal })
        continue
      }
      await this.#pokedOr(pollMs, signal)
    }
  }

  async #pokedOr(pollMs: number, signal: AbortSignal): Promise<void> {
    const poked = this.#poked
    const wake = (): void => poked.resolve()
    signal.addEventListener('abort', wake, { once: true })
    using _timer = this.#options.clock.after(pollMs, wake)
    await poked.promise
    signal.removeEventListener('abort', wake)
  }
}
