import type { Clock } from '../../core/clock.ts'
import type { CloudEventOptions } from '../format/cloudevents.ts'
import type { StreamEvent } from '../stream-event.ts'
import { deliveryBody } from './body.ts'
import { profileOf, type DeliveryProfile } from './profile.ts'
import type { Answer, Send } from './send.ts'
import { signatureHeader } from './signature.ts'
import { validSecrets, type Webhook } from './webhook.ts'

export interface DeliverDeps {
  /** For addresses that an admin gave through the API. */
  readonly send: Send
  /** For the address in the configuration, which may lead anywhere: whoever writes it runs this program. */
  readonly sendConfigured: Send
  readonly clock: Clock
  readonly cloudEvents?: CloudEventOptions | undefined
  /** How persistently webhooks are delivered that admins have made; as R39 says unless given. */
  readonly profile?: DeliveryProfile | undefined
}

/**
 * Sends one event to a webhook's receiver, once.
 *
 * Source: event-stream.md R39.
 */
export async function deliver(
  { send, sendConfigured, clock, cloudEvents, profile }: DeliverDeps,
  webhook: Webhook,
  event: StreamEvent,
  signal: AbortSignal,
): Promise<Answer> {
  const now = clock.now()
  const { contentType, text: body } = deliveryBody(event, webhook.format, cloudEvents)
  const timestampS = Math.floor(now / 1000)
  const headers = {
    'content-type': contentType,
    'user-agent': 'mainstay-webhook',
    'webhook-id': event.id,
    'webhook-timestamp': String(timestampS),
    'webhook-signature': signatureHeader({ id: event.id, timestampS, body }, validSecrets(webhook, now)),
  }
  const through = webhook.format === 'notification' ? sendConfigured : send
  const { timeoutMs } = profileOf(webhook.format, profile)
  return await through({ url: webhook.url, headers, body, timeoutMs, signal })
}
