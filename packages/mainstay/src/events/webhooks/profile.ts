import { DEFAULT_RETRY_SCHEDULE, type RetrySchedule } from './retry-schedule.ts'
import type { WebhookFormat } from './webhook.ts'

const SECOND = 1000
const DAY = 24 * 3600 * SECOND

/** How persistently a webhook is delivered. */
export interface DeliveryProfile {
  /** The longest that a receiver may take to answer. */
  readonly timeoutMs: number
  readonly schedule: RetrySchedule
  /** Whether an answer means that this event will never be taken, so that trying again is of no use. */
  readonly isHopeless: (status: number) => boolean
  /** A webhook that has failed for so long is switched off; null for never. */
  readonly disableAfterMs: number | null
  /** Whether 410 switches the webhook off. */
  readonly goneDisables: boolean
}

/** Source: event-stream.md R39. */
export const STANDARD_PROFILE: DeliveryProfile = {
  timeoutMs: 10 * SECOND,
  schedule: DEFAULT_RETRY_SCHEDULE,
  isHopeless: () => false,
  disableAfterMs: 3 * DAY,
  goneDisables: true,
}

/**
 * The forwarding to programs that take notifications as the reference sends them: three tries, and what a receiver
 * refuses for a reason of its own is not offered again.
 *
 * Source: event-stream.md 8.5.
 */
export const FORWARDING_PROFILE: DeliveryProfile = {
  timeoutMs: 5 * SECOND,
  schedule: { waitsMs: [3 * SECOND, 9 * SECOND], jitter: 0, longestRetryAfterMs: 0 },
  isHopeless: (status) => status >= 400 && status < 500 && status !== 408 && status !== 429,
  disableAfterMs: null,
  goneDisables: false,
}

/** @param standard how webhooks are delivered that admins have made */
export function profileOf(format: WebhookFormat, standard: DeliveryProfile = STANDARD_PROFILE): DeliveryProfile {
  return format === 'notification' ? FORWARDING_PROFILE : standard
}
