import type { JsonObject } from '../core/json.ts'
import { unwrapBare, unwrapList } from './body.ts'
import { EVENTS_PATH } from './events.ts'
import type { StreamFilters, StreamedEvent } from './stream/streamed-event.ts'
import type { CallOptions, Transport } from './transport.ts'

export const WEBHOOK_FORMATS = ['native', 'cloudevents', 'compat'] as const

/** Where events are posted, and how far that has come. Times are ISO 8601 with `Z`. Source: event-stream.md R39. */
export interface Webhook {
  readonly id: string
  readonly url: string
  readonly description: string | null
  readonly format: string
  readonly filters: StreamFilters
  readonly projects: readonly string[] | null
  readonly active: boolean
  readonly inactive_reason: string | null
  readonly created_at: string
  readonly updated_at: string
  readonly previous_secret_until: string | null
  readonly cursor: string
  readonly failures: number
  readonly next_attempt_at: string | null
  readonly failing_since: string | null
  readonly last_delivery_at: string | null
  readonly last_error: string | null
  readonly missed: number
  readonly dead_letters: number
  /** Only in the answer to the call that made it. */
  readonly secret?: string
}

export interface NewWebhook {
  readonly url: string
  readonly description?: string | undefined
  readonly format?: string | undefined
  readonly filters?: StreamFilters | undefined
  readonly secret?: string | undefined
  readonly active?: boolean | undefined
  readonly since?: string | undefined
}

export interface WebhookChange extends Omit<NewWebhook, 'url' | 'since'> {
  readonly url?: string | undefined
  readonly rotate_secret?: true | undefined
}

/** An event that a receiver never took. */
export interface DeadLetter {
  readonly id: string
  readonly event_id: string
  readonly attempts: number
  readonly reason: string
  readonly at: string
  readonly event: StreamedEvent
}

/** Calls on webhooks, for admins. They throw what `Transport.send` throws. Source: event-stream.md R39. */
export class Webhooks {
  readonly #transport: Transport

  constructor(transport: Transport) {
    this.#transport = transport
  }

  async list(options: CallOptions = {}): Promise<Webhook[]> {
    const answer = await this.#transport.send({ method: 'GET', api: 'root', path: WEBHOOKS_PATH, ...options })
    return unwrapList(answer, 'webhooks', `GET ${WEBHOOKS_PATH}`) as Webhook[]
  }

  async show(id: string, options: CallOptions = {}): Promise<Webhook> {
    const path = webhookPath(id)
    return unwrapBare(
      await this.#transport.send({ method: 'GET', api: 'root', path, ...options }),
      `GET ${path}`,
    ) as Webhook
  }

  /** @returns the webhook with its secret, which is not shown again */
  async create(body: NewWebhook, options: CallOptions = {}): Promise<Webhook> {
    const call = { method: 'POST', api: 'root', path: WEBHOOKS_PATH, body } as const
    return unwrapBare(await this.#transport.send({ ...call, ...options }), `POST ${WEBHOOKS_PATH}`) as Webhook
  }

  /** @returns the webhook, with its secret if that is new */
  async update(id: string, body: WebhookChange, options: CallOptions = {}): Promise<Webhook> {
    const path = webhookPath(id)
    // A repeat would make yet another secret, and the one before it would be valid no more.
    const idempotent = body.rotate_secret === undefined
    const call = { method: 'PUT', api: 'root', path, body, idempotent } as const
    return unwrapBare(await this.#transport.send({ ...call, ...options }), `PUT ${path}`) as Webhook
  }

  async delete(id: string, options: CallOptions = {}): Promise<void> {
    await this.#transport.delete({ method: 'DELETE', api: 'root', path: webhookPath(id), ...options })
  }

  /** Events that its receiver never took, the oldest first. */
  async deadLetters(
    id: string,
    { limit, signal }: CallOptions & { limit?: number | undefined } = {},
  ): Promise<DeadLetter[]> {
    const path = `${webhookPath(id)}/dead-letters`
    const answer = await this.#transport.send({ method: 'GET', api: 'root', path, query: { limit }, signal })
    return unwrapList(answer, 'dead_letters', `GET ${path}`) as DeadLetter[]
  }

  /**
   * Sends dead letters once more.
   *
   * @param letter one of them; all, the oldest first, unless given
   * @returns how many were taken
   * @throws MainstayApiError with status 424 when the receiver does not take one
   */
  async redeliver(id: string, letter: string | undefined, options: CallOptions = {}): Promise<number> {
    const path = redeliverPath(id, letter)
    const answer = await this.#transport.send({ method: 'POST', api: 'root', path, ...options })
    const { delivered } = unwrapBare(answer, `POST ${path}`) as JsonObject
    return typeof delivered === 'number' ? delivered : 0
  }
}

export const WEBHOOKS_PATH = `${EVENTS_PATH}/webhooks`

/** The path of a webhook, below the root. */
export function webhookPath(id: string): string {
  return `${WEBHOOKS_PATH}/${encodeURIComponent(id)}`
}

/** The path that sends dead letters once more. */
export function redeliverPath(id: string, letter: string | undefined): string {
  const one = letter === undefined ? '' : `/${encodeURIComponent(letter)}`
  return `${webhookPath(id)}/dead-letters${one}/redeliver`
}
