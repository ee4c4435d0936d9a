import type { EventScope } from '../access/scope.ts'
import type { EventFilter } from '../filter/index.ts'

/** What a delivery looks like: one event as the native stream, as a CloudEvent, or as the compatible endpoint shows it. */
export const WEBHOOK_FORMATS = ['native', 'cloudevents', 'compat'] as const

/** `notification` is what section 8.5 sends, to receivers of the reference; only the configuration makes those. */
export type WebhookFormat = (typeof WEBHOOK_FORMATS)[number] | 'notification'

/** Where events are sent. All times are milliseconds since the Unix epoch. */
export interface Webhook {
  readonly id: string
  readonly url: string
  readonly description: string | null
  readonly format: WebhookFormat
  readonly filters: EventFilter
  /** Which events whoever made it may see (R31). */
  readonly scope: EventScope
  readonly secret: string
  readonly previousSecret: string | null
  /** Until when deliveries are signed with the previous secret too. */
  readonly previousSecretUntil: number | null
  readonly active: boolean
  /** Why it is not active, when nobody has switched it off. */
  readonly inactiveReason: string | null
  readonly createdAt: number
  readonly updatedAt: number
  readonly progress: Progress
}

/** How far a webhook's deliveries have come. */
export interface Progress {
  /** Everything up to this place of this history was delivered, given up, or is not wanted. */
  readonly epoch: string
  readonly position: number
  /** Attempts that have failed with the event that is next. */
  readonly failures: number
  readonly nextAttemptAt: number | null
  /** Since when no delivery has succeeded; null while they do. */
  readonly failingSince: number | null
  readonly lastDeliveryAt: number | null
  readonly lastError: string | null
  /** Events that the log no longer had when it was their turn, wanted or not. */
  readonly missed: number
}

/** Progress of a webhook that has just been made, without its place. */
export const NO_PROGRESS: Omit<Progress, 'epoch' | 'position'> = {
  failures: 0,
  nextAttemptAt: null,
  failingSince: null,
  lastDeliveryAt: null,
  lastError: null,
  missed: 0,
}

/** The right of one process to deliver for a webhook: what it writes with an older fence is refused. */
export interface Lease {
  readonly webhookId: string
  readonly owner: string
  readonly fence: number
}

/** An event that a receiver never took. */
export interface DeadLetter {
  readonly id: string
  readonly webhookId: string
  readonly eventId: string
  /** The event as JSON, because the log keeps it only for a time. */
  readonly event: string
  readonly attempts: number
  readonly reason: string
  readonly at: number
}

/** The secrets that deliveries are signed with now, the newest first. */
export function validSecrets({ secret, previousSecret, previousSecretUntil }: Webhook, now: number): string[] {
  const old = previousSecret !== null && previousSecretUntil !== null && now < previousSecretUntil
  return old ? [secret, previousSecret] : [secret]
}
