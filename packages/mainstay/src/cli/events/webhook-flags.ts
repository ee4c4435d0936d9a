import { textFlag } from '../text-argument.ts'

const FORMATS = ['native', 'cloudevents', 'compat'] as const

/** What can be said of a webhook when it is made and when it is changed. */
export interface WebhookFlags {
  readonly description?: string
  readonly deliver?: (typeof FORMATS)[number]
  readonly secret?: string
}

export const webhookFlags = {
  description: textFlag('TEXT', 'For people'),
  deliver: {
    kind: 'enum',
    values: FORMATS,
    optional: true,
    placeholder: 'FORMAT',
    brief: 'What a delivery looks like; native without it',
  },
  secret: textFlag('SECRET', 'What deliveries are signed with; the server makes one without it'),
} as const
