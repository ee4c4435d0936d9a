import type { Lifecycle } from '../../core/lifecycle.ts'
import { SystemRandom } from '../../core/random.ts'
import { withRetry } from '../../core/retry.ts'
import { WebhookDesk } from '../../events/webhooks/desk.ts'
import { WebhookDispatcher } from '../../events/webhooks/dispatcher.ts'
import { WebhookFigures } from '../../events/webhooks/figures.ts'
import { FORWARDING_ID, configureForwarding } from '../../events/webhooks/forwarding.ts'
import { STANDARD_PROFILE, type DeliveryProfile } from '../../events/webhooks/profile.ts'
import { Sender } from '../../events/webhooks/send.ts'
import { targetRules } from '../../events/webhooks/target.ts'
import type { Config } from '../config/schema.ts'
import type { Parts } from '../parts.ts'
import { cloudEventOptions, filterLimits } from './open-stream.ts'

/**
 * Delivers events to other programs, where this process has the role `events`; of several such processes each webhook
 * has one that delivers.
 *
 * @returns what admins do with webhooks; null without the role
 * @throws InvalidInputError when a network is none; the errors of store and log
 */
export async function openWebhooks(parts: Parts, lifecycle: Lifecycle): Promise<WebhookDesk | null> {
  const { config, clock, ids, logger, metrics, events } = parts
  if (events === null) return null
  const { webhooks: options, openstack } = config.events
  const { store, exclusive } = parts.store
  const { log } = events
  const rules = targetRules(options.allowed_networks)
  const sender = new Sender({ rules, clock })
  const configured = new Sender({ rules: { allows: () => true }, clock })
  lifecycle.started('connections of webhooks', async () => {
    sender[Symbol.dispose]()
    configured[Symbol.dispose]()
  })
  const shared = {
    store,
    log,
    clock,
    ids,
    logger,
    random: new SystemRandom(),
    send: sender.send,
    sendConfigured: configured.send,
    cloudEvents: cloudEventOptions(config),
    profile: profileFrom(config),
    figures: new WebhookFigures(metrics),
  }
  const dispatcher = new WebhookDispatcher(shared, {
    leaseMs: options.lease_ms,
    lookMs: options.look_ms,
    pageEvents: options.page_events,
    deadLettersKept: options.dead_letters_kept,
    alone: exclusive,
  })
  dispatcher.start()
  // The log need not be there yet.
  void parts.tasks.spawn('configure forwarding', async (signal) => {
    const retry = { retries: Number.POSITIVE_INFINITY, minDelayMs: 500, maxDelayMs: 10_000, signal, clock }
    await withRetry(retry, async () => await configureForwarding(shared, openstack.api_url))
    await dispatcher.changed(FORWARDING_ID)
  })
  const { shutdown_grace_ms: timeoutMs } = config.server
  lifecycle.started('webhooks', async () => await dispatcher.stop({ timeoutMs }))
  return new WebhookDesk(
    { ...shared, rules, changed: async (id) => await dispatcher.changed(id) },
    {
      maxWebhooks: options.max_webhooks,
      secretOverlapMs: options.secret_overlap_ms,
      filter: filterLimits(config),
    },
  )
}

function profileFrom({ events: { webhooks: options } }: Config): DeliveryProfile {
  return {
    ...STANDARD_PROFILE,
    timeoutMs: options.timeout_ms,
    schedule: { ...STANDARD_PROFILE.schedule, waitsMs: options.retry_waits_ms, jitter: options.retry_jitter },
    disableAfterMs: options.disable_after_ms,
  }
}
