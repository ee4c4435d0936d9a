import type { Clock } from '../../core/clock.ts'
import { errorMessage } from '../../core/errors.ts'
import type { Logger } from '../../core/logging.ts'
import type { TaskGroup } from '../../core/task-group.ts'
import type { Store } from '../../store/index.ts'
import type { BusMessage } from './bus-message.ts'
import { settleBusOutbox, takeFromBusOutbox, trimBusOutbox } from './bus-outbox.ts'

export interface BusRelayOptions {
  readonly store: Store
  readonly clock: Clock
  readonly tasks: TaskGroup
  readonly logger: Logger
  /** Resolves when the bus has the message. */
  readonly deliver: (message: BusMessage, options: { signal: AbortSignal }) => Promise<void>
  /** How often it is looked without being told: other processes write here as well. */
  readonly pollMs: number
  /** How long a message waits for a bus that is away. */
  readonly keepMs: number
  /** How long a process that was killed keeps others from sending what it took. */
  readonly takenForMs?: number
}

/** Messages that are taken in one go. */
const BATCH = 100

/**
 * Carries messages from their table to the bus, in order, each at least once: one is forgotten only when the bus has
 * confirmed it. Whoever wrote the message does not wait for any of this.
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
    const { store, clock, logger, deliver, keepMs, takenForMs = 60_000 } = this.#options
    const lost = await trimBusOutbox(store, clock.now() - keepMs)
    if (lost > 0) logger.error(`The message bus was away for too long: ${lost} notifications were dropped.`)
    const nowMs = clock.now()
    const waiting = await takeFromBusOutbox(store, { limit: BATCH, nowMs, untilMs: nowMs + takenForMs })
    const seqs = waiting.map(({ seq }) => seq)
    let sent = 0
    try {
      for (const message of waiting) {
        await deliver(message, { signal })
        sent += 1
      }
    } finally {
      await settleBusOutbox(store, { sent: seqs.slice(0, sent), unsent: seqs.slice(sent) })
    }
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
