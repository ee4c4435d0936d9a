import type { JsonObject } from '../../core/json.ts'
import { formatZulu } from '../../core/timestamp.ts'
import type { Report } from '../report.ts'
import type { DeliveryOutcome } from './delivery-policy.ts'
import type { SpoolRecord } from './spool-entry.ts'

/** The receiver of notifications, as the sender needs it. */
export interface NotificationApi {
  /** One attempt, bounded in time. Failing to get an answer is an outcome; only the signal's reason is thrown. */
  post(record: SpoolRecord, options: { signal: AbortSignal }): Promise<DeliveryOutcome>
  /** The token was refused: the next attempt fetches another. */
  forgetToken(): void
}

/**
 * The body of `POST /notifications`: these members and no others, for the receiving schema refuses more.
 *
 * Source: monitors.md SND-2, SND-3.
 */
export function notificationBody(report: Report): JsonObject {
  return {
    notification: {
      type: report.type,
      hostname: report.hostname,
      generated_time: formatZulu(report.detectedAtMs),
      payload: report.payload,
    },
  }
}
