import type { Clock } from '../../core/clock.ts'
import type { Store } from '../../store/index.ts'
import { ALL_EVENTS } from '../access/scope.ts'
import { EVERYTHING } from '../filter/index.ts'
import type { EventLog } from '../log.ts'
import { addWebhook, changeWebhook, findWebhook, removeWebhook } from './records.ts'
import { newSecret } from './signature.ts'
import { NO_PROGRESS, type Webhook } from './webhook.ts'

/** The id of the webhook that the configuration makes. */
export const FORWARDING_ID = 'forwarding'

const PATH = '/notifications/baremetal'

/** Where an API takes notifications. Source: event-stream.md 8.5. */
export function forwardingUrl(base: string): string {
  return `${base.replace(/\/+$/, '')}${PATH}`
}

/**
 * Makes the webhook that forwards notifications of machines, changes its address, or removes it, as the configuration
 * says. It begins with what comes after it was made, and survives restarts like every other.
 *
 * Source: event-stream.md 8.5, R39.
 *
 * @param base where the API is; empty for no forwarding
 */
export async function configureForwarding(
  { store, log, clock }: { store: Store; log: EventLog; clock: Clock },
  base: string,
): Promise<void> {
  const present = await findWebhook(store, FORWARDING_ID)
  if (base === '') {
    if (present !== undefined) await removeWebhook(store, FORWARDING_ID)
    return
  }
  const url = forwardingUrl(base)
  const now = clock.now()
  if (present === undefined) {
    const { epoch, head } = await log.extent()
    // Of several processes that start at once one is the first; the others find what they want.
    await addWebhook(store, made(url, { epoch, position: head }, now), { limit: Number.MAX_SAFE_INTEGER })
  } else if (present.url !== url) {
    await changeWebhook(store, FORWARDING_ID, () => ({ url }), now)
  }
}

function made(url: string, place: { epoch: string; position: number }, now: number): Webhook {
  return {
    id: FORWARDING_ID,
    url,
    description: 'Notifications of machines, as events.openstack.api_url of the configuration says',
    format: 'notification',
    filters: { ...EVERYTHING, service_filters: ['baremetal'] },
    scope: ALL_EVENTS,
    secret: newSecret(),
    previousSecret: null,
    previousSecretUntil: null,
    active: true,
    inactiveReason: null,
    createdAt: now,
    updatedAt: now,
    progress: { ...NO_PROGRESS, ...place },
  }
}
