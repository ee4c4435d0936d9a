import type { Insertable, Selectable } from 'kysely'

import { isJsonObject, parseJson, toJson } from '../../core/json.ts'
import type { WebhookDeadLetterTable, WebhookTable } from '../../store/index.ts'
import { ALL_EVENTS, type EventScope } from '../access/scope.ts'
import { EVERYTHING } from '../filter/index.ts'
import type { DeadLetter, Progress, Webhook } from './webhook.ts'

/** The row of a webhook without who delivers for it. */
type WebhookColumns = Omit<Insertable<WebhookTable>, 'lease_owner' | 'lease_until' | 'fence' | keyof ProgressColumns>
type ProgressColumns = ReturnType<typeof progressColumns>

export function webhookColumns(webhook: Webhook): WebhookColumns {
  return {
    id: webhook.id,
    url: webhook.url,
    description: webhook.description,
    format: webhook.format,
    filters: toJson(webhook.filters),
    scope: toJson(webhook.scope),
    secret: webhook.secret,
    previous_secret: webhook.previousSecret,
    previous_secret_until: webhook.previousSecretUntil,
    active: Number(webhook.active),
    inactive_reason: webhook.inactiveReason,
    created_at: webhook.createdAt,
    updated_at: webhook.updatedAt,
  }
}

export function progressColumns(progress: Progress) {
  return {
    epoch: progress.epoch,
    position: progress.position,
    failures: progress.failures,
    next_attempt_at: progress.nextAttemptAt,
    failing_since: progress.failingSince,
    last_delivery_at: progress.lastDeliveryAt,
    last_error: progress.lastError,
    missed: progress.missed,
  }
}

export function toWebhook(row: Selectable<WebhookTable>): Webhook {
  const filters = parseJson(row.filters, `the filters of webhook ${row.id}`)
  return {
    id: row.id,
    url: row.url,
    description: row.description,
    format: row.format as Webhook['format'],
    // A member that a later version has added is as it was before there was one.
    filters: { ...EVERYTHING, ...(isJsonObject(filters) ? filters : {}) },
    scope: toScope(row),
    secret: row.secret,
    previousSecret: row.previous_secret,
    previousSecretUntil: row.previous_secret_until,
    active: row.active === 1,
    inactiveReason: row.inactive_reason,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    progress: {
      epoch: row.epoch,
      position: row.position,
      failures: row.failures,
      nextAttemptAt: row.next_attempt_at,
      failingSince: row.failing_since,
      lastDeliveryAt: row.last_delivery_at,
      lastError: row.last_error,
      missed: row.missed,
    },
  }
}

/** A scope that cannot be read shows nothing: better too few events than those of somebody else. */
function toScope({ id, scope }: Selectable<WebhookTable>): EventScope {
  const value = parseJson(scope, `the scope of webhook ${id}`)
  if (isJsonObject(value) && value['all'] === true) return ALL_EVENTS
  const projects = isJsonObject(value) ? value['projects'] : undefined
  return { all: false, projects: Array.isArray(projects) ? (projects as string[]) : [] }
}

export function toDeadLetter(row: Selectable<WebhookDeadLetterTable>): DeadLetter {
  return {
    id: row.id,
    webhookId: row.webhook_id,
    eventId: row.event_id,
    event: row.event,
    attempts: row.attempts,
    reason: row.reason,
    at: row.at,
  }
}
