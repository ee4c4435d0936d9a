import { NewWebhookSchema, WebhookChangeSchema } from '../webhooks/schema.ts'
import { BAD, EMPTY, GONE, MISSING, REFUSED, said, type Answer, type Operation } from './operation.ts'
import { DEAD_LETTER, WEBHOOK, WEBHOOK_WITH_SECRET, countOf, listOf, plain } from './schemas.ts'

const FAILED: Readonly<Record<number, Answer>> = {
  424: { description: 'The receiver did not take it; it stays a dead letter.' },
}

/** Webhooks and their dead letters, by path and method. */
export const WEBHOOK_OPERATIONS: Readonly<Record<string, Readonly<Record<string, Operation>>>> = {
  '/v1/events/webhooks': {
    get: {
      id: 'listWebhooks',
      description: 'All webhooks. For admins.',
      answers: { 200: said(listOf('webhooks', WEBHOOK)), ...REFUSED },
    },
    post: {
      id: 'createWebhook',
      description: 'Makes a webhook. For admins.',
      body: plain(NewWebhookSchema),
      answers: {
        201: said(WEBHOOK_WITH_SECRET),
        ...BAD,
        ...REFUSED,
        409: { description: 'There are too many.' },
        ...GONE,
      },
    },
  },
  '/v1/events/webhooks/{id}': {
    get: {
      id: 'showWebhook',
      description: 'One webhook. For admins.',
      answers: { 200: said(WEBHOOK), ...REFUSED, ...MISSING },
    },
    ...Object.fromEntries(
      (['patch', 'put'] as const).map((method) => [
        method,
        {
          id: method === 'patch' ? 'changeWebhook' : 'updateWebhook',
          description: 'Changes what is given of a webhook; filters replace those before. For admins.',
          body: plain(WebhookChangeSchema),
          answers: {
            200: said(WEBHOOK_WITH_SECRET),
            ...BAD,
            ...REFUSED,
            ...MISSING,
            409: { description: 'It is made by the configuration.' },
          },
        },
      ]),
    ),
    delete: {
      id: 'deleteWebhook',
      description: 'Removes a webhook with its dead letters. For admins.',
      answers: { 204: EMPTY, ...REFUSED, ...MISSING, 409: { description: 'It is made by the configuration.' } },
    },
  },
  '/v1/events/webhooks/{id}/dead-letters': {
    get: {
      id: 'listDeadLetters',
      description: 'Events that the receiver never took, the oldest first. For admins.',
      query: { limit: '1 to 9999; 100 without it.' },
      answers: { 200: said(listOf('dead_letters', DEAD_LETTER)), ...BAD, ...REFUSED, ...MISSING },
    },
  },
  '/v1/events/webhooks/{id}/dead-letters/redeliver': {
    post: {
      id: 'redeliverDeadLetters',
      description: 'Sends all dead letters once more, until one is not taken. For admins.',
      answers: { 200: said(countOf('delivered', 'How many were taken.')), ...REFUSED, ...MISSING, ...FAILED },
    },
  },
  '/v1/events/webhooks/{id}/dead-letters/{letter}': {
    delete: {
      id: 'deleteDeadLetter',
      description: 'Forgets a dead letter. For admins.',
      answers: { 204: EMPTY, ...REFUSED, ...MISSING },
    },
  },
  '/v1/events/webhooks/{id}/dead-letters/{letter}/redeliver': {
    post: {
      id: 'redeliverDeadLetter',
      description: 'Sends one dead letter once more. For admins.',
      answers: { 200: said(countOf('delivered', 'How many were taken.')), ...REFUSED, ...MISSING, ...FAILED },
    },
  },
}
