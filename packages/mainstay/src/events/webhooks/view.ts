import { parseJson, type JsonObject } from '../../core/json.ts'
import { formatZulu } from '../../core/timestamp.ts'
import type { DeadLetter, Webhook } from './webhook.ts'

/** A webhook as the API shows it. Its secret is shown once, when it is new. */
export function webhookView(webhook: Webhook, { deadLetters, now }: { deadLetters: number; now: number }): JsonObject {
  const { progress, previousSecretUntil } = webhook
  return {
    id: webhook.id,
    url: webhook.url,
    description: webhook.description,
    format: webhook.format,
    filters: { ...webhook.filters },
    projects: webhook.scope.all ? null : webhook.scope.projects,
    active: webhook.active,
    inactive_reason: webhook.inactiveReason,
    created_at: formatZulu(webhook.createdAt),
    updated_at: formatZulu(webhook.updatedAt),
    previous_secret_until:
      previousSecretUntil === null || previousSecretUntil <= now ? null : formatZulu(previousSecretUntil),
    cursor: `${progress.epoch}:${progress.position}`,
    failures: progress.failures,
    next_attempt_at: timeOrNull(progress.nextAttemptAt),
    failing_since: timeOrNull(progress.failingSince),
    last_delivery_at: timeOrNull(progress.lastDeliveryAt),
    last_error: progress.lastError,
    missed: progress.missed,
    dead_letters: deadLetters,
  }
}

export function deadLetterView(letter: DeadLetter): JsonObject {
  return {
    id: letter.id,
    event_id: letter.eventId,
    attempts: letter.attempts,
    reason: letter.reason,
    at: formatZulu(letter.at),
    event: parseJson(letter.event, `dead letter ${letter.id}`),
  }
}

function timeOrNull(at: number | null): string | null {
  return at === null ? null : formatZulu(at)
}
