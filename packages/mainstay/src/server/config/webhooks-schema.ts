import { Type } from 'typebox'

import { DEFAULT_DESK_OPTIONS as DESK } from '../../events/webhooks/desk.ts'
import { DEFAULT_DISPATCH_OPTIONS as DISPATCH } from '../../events/webhooks/options.ts'
import { STANDARD_PROFILE as STANDARD } from '../../events/webhooks/profile.ts'
import { amount, closed, count, words } from './option-kinds.ts'

/** Events that are posted to other programs. */
export const WebhooksSection = Type.Object(
  {
    allowed_networks: words(
      'Addresses that webhooks may be sent to although they are private, link-local or reserved, for example 10.1.0.0/16',
    ),
    max_webhooks: count('How many webhooks there may be.', DESK.maxWebhooks),
    secret_overlap_ms: count('How long the previous secret is valid beside a new one.', DESK.secretOverlapMs),
    timeout_ms: count('How long a receiver may take to answer.', STANDARD.timeoutMs, 1),
    retry_waits_ms: Type.Array(Type.Integer({ minimum: 0 }), {
      description: 'The waits before further attempts; after the last one the event is a dead letter.',
      default: [...STANDARD.schedule.waitsMs],
    }),
    retry_jitter: amount('The part of a wait by which chance changes it.', STANDARD.schedule.jitter),
    disable_after_ms: count(
      'A webhook is switched off after so long without a success.',
      STANDARD.disableAfterMs ?? 0,
      1,
    ),
    dead_letters_kept: count('Dead letters that are kept of one webhook.', DISPATCH.deadLettersKept, 1),
    lease_ms: count('A process that is silent for so long no longer delivers.', DISPATCH.leaseMs, 1000),
    look_ms: count(
      'How often leases are renewed, and webhooks looked for that nobody delivers for.',
      DISPATCH.lookMs,
      100,
    ),
    page_events: count('Events that are read from the log in one go.', DISPATCH.pageEvents, 1),
  },
  { ...closed, default: {} },
)
