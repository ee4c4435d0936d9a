import { createHash } from 'node:crypto'

import type { Clock } from '../../core/clock.ts'
import { errorMessage } from '../../core/errors.ts'
import { toJson, type Json } from '../../core/json.ts'
import type { Logger } from '../../core/logging.ts'
import { fullJitterMs } from '../compat/bridge-options.ts'
import { serviceOf } from '../filter/index.ts'
import type { Ingest } from '../ingest.ts'
import { redact } from '../redact.ts'
import type { AmqpMessage } from './amqp.ts'
import { nodeNameOf, type BaremetalEvents } from './baremetal-events.ts'
import { eventInfo } from './event-info.ts'
import { FollowUps } from './follow-ups.ts'
import type { NotificationForwarder } from './notification-forwarder.ts'
import {
  DEFAULT_READ_LIMITS,
  readNotification,
  UnreadableNotificationError,
  type OsloNotification,
  type ReadLimits,
} from './oslo-notification.ts'
import { StoreInOrder } from './store-in-order.ts'
import { notificationToStreamEvent } from './to-stream-event.ts'

/** Tells other processes. Source: event-stream.md 8.3. */
export interface NotificationBridge {
  addEvent(eventType: string, payload: Json): Promise<void>
}

export type DeadLetterReason = 'too large' | 'not decodable' | 'refused'

export interface NotificationIntakeDeps {
  readonly clock: Clock
  readonly logger: Logger
  /** Null where nothing is stored and events only cross the bridge, as in the reference. */
  readonly ingest: Pick<Ingest, 'accept'> | null
  readonly bridge: NotificationBridge | null
  readonly baremetal: BaremetalEvents | null
  readonly forwarder: NotificationForwarder | null
  readonly limits?: ReadLimits
  /** How long it waits before it tries to store an event again, by attempt from 1. */
  readonly retryDelayMs?: (attempt: number) => number
  readonly onReceived?: (service: string) => void
  readonly onDeadLetter?: (reason: DeadLetterReason) => void
  readonly onLeftOut?: () => void
}

/**
 * What is done with a notification: it is stored first; only then others are told of it, and nobody waits for them.
 *
 *   message ──cannot be read, refused──▶ counted ──▶ acknowledged
 *      └──▶ stored ──▶ acknowledged
 *              └──▶ bridge, inventory, forwarding: each in order, each at its own pace
 *
 * Invariant: a message is acknowledged when its event is safe, or can never be. While the store takes nothing, nothing is
 * acknowledged, and the broker keeps the rest.
 *
 * Source: event-stream.md 8.3, R3, R7.
 */
export class NotificationIntake {
  readonly #deps: NotificationIntakeDeps
  readonly #stopping = new AbortController()
  readonly #storing: StoreInOrder | null
  readonly #followUps: { readonly bridge: FollowUps; readonly inventory: FollowUps; readonly forwarding: FollowUps }

  constructor(deps: NotificationIntakeDeps) {
    this.#deps = deps
    const { clock, logger, ingest, retryDelayMs = fullJitterMs, onLeftOut = () => {} } = deps
    const { signal } = this.#stopping
    this.#storing = ingest === null ? null : new StoreInOrder({ clock, logger, ingest, retryDelayMs, signal })
    const lane = (name: string): FollowUps => new FollowUps({ name, logger, onDropped: onLeftOut })
    this.#followUps = {
      bridge: lane('The event bridge'),
      inventory: lane('Keeping the inventory'),
      forwarding: lane('Forwarding notifications'),
    }
  }

  /** Takes a message; resolves when it may be acknowledged. @throws the reason of stopping; the message is then given back */
  async take(message: AmqpMessage, service: string): Promise<void> {
    const { logger, limits = DEFAULT_READ_LIMITS, onReceived } = this.#deps
    onReceived?.(service)
    let notification: OsloNotification
    try {
      notification = readNotification(message.body, limits)
    } catch (error) {
      if (!(error instanceof UnreadableNotificationError)) throw error
      this.#bury(error.reason, `A message of ${service} was thrown away: ${errorMessage(error)}`)
      return
    }
    const { eventType, payload } = notification
    const name = eventType === '' ? 'unknown' : eventType
    logger.debug(`Received ${service} event: ${name}`)
    if (logger.isLevelEnabled('debug')) logger.debug(`${name}: ${toJson(eventInfo(eventType, payload))}`)
    if (await this.#store(notification, message)) this.#follow(notification, sizeOf(message.body))
  }

  /** Waits for all that followed from what was taken so far. */
  async idle(): Promise<void> {
    await Promise.all(Object.values(this.#followUps).map(async (lane) => await lane.idle()))
  }

  /** Gives back what cannot be stored now, and ends what waits. */
  stop(reason: Error): void {
    this.#stopping.abort(reason)
  }

  /** @returns whether it is stored; false when it never can be */
  async #store(notification: OsloNotification, message: AmqpMessage): Promise<boolean> {
    if (this.#storing === null) return true
    const event = notificationToStreamEvent(notification, {
      nowMs: this.#deps.clock.now(),
      fallbackId: digest(message.body),
      priority: message.routingKey.slice(message.routingKey.lastIndexOf('.') + 1),
    })
    const refusal = await this.#storing.store(event)
    if (refusal === undefined) return true
    this.#bury('refused', `${event.event_type} was refused by the event log: ${errorMessage(refusal)}`, refusal)
    return false
  }

  #follow(notification: OsloNotification, bytes: number): void {
    const { bridge, baremetal, forwarder } = this.#deps
    const { eventType } = notification
    const shown = { ...notification, payload: redact(notification.payload) }
    if (bridge !== null) this.#followUps.bridge.add(async () => await this.#cross(bridge, shown), bytes)
    if (forwarder?.wants(eventType) === true) {
      this.#followUps.forwarding.add(async () => await forwarder.forward(shown, this.#stopping.signal), bytes)
    }
    if (baremetal !== null && serviceOf(eventType) === 'baremetal') {
      this.#followUps.inventory.add(async () => await baremetal.handle(eventType, notification.payload), bytes)
    }
  }

  async #cross(bridge: NotificationBridge, { eventType, payload }: OsloNotification): Promise<void> {
    try {
      await bridge.addEvent(eventType, payload)
    } catch (error) {
      const { logger } = this.#deps
      logger.error({ err: error }, `Error forwarding an event to the bridge: ${errorMessage(error)}`)
      logger.error(`The event was ${eventType === '' ? 'unknown' : eventType} of ${nodeNameOf(payload)}`)
    }
  }

  #bury(reason: DeadLetterReason, text: string, error?: unknown): void {
    this.#deps.onDeadLetter?.(reason)
    this.#deps.logger.error({ err: error }, text)
  }
}

/** Bytes of a body; of one that was taken apart already they are not known. */
function sizeOf(body: unknown): number {
  return Buffer.isBuffer(body) || typeof body === 'string' ? body.length : 0
}

/** The same text for the same body: the id of a notification that has none. */
function digest(body: unknown): string {
  const bytes = Buffer.isBuffer(body) || typeof body === 'string' ? body : toJson(body)
  return createHash('sha256').update(bytes).digest('hex')
}
