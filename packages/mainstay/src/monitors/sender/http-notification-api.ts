import type { Clock } from '../../core/clock.ts'
import { withDeadline } from '../../core/deadline.ts'
import { errorMessage } from '../../core/errors.ts'
import type { DeliveryOutcome } from './delivery-policy.ts'
import type { HttpPost } from './http-post.ts'
import { notificationBody, type NotificationApi } from './notification-api.ts'
import { retryAfterMs } from './retry-after.ts'
import type { SpoolRecord } from './spool-entry.ts'
import type { TokenSource } from './token-source.ts'

export interface HttpNotificationApiOptions {
  /** Where `/notifications` is, asked before every attempt: a fixed address or the service catalogue's (SND-1). */
  readonly endpoint: (options: { signal: AbortSignal }) => Promise<string>
  readonly tokens: TokenSource
  readonly clock: Clock
  /** Bound on one attempt: the token, the address, the request and its answer. */
  readonly timeoutMs: number
  readonly post: HttpPost
}

/** As much of an answer as is worth keeping with a record. */
const KEPT_TEXT = 500

/** Posts notifications over HTTP. Source: monitors.md 2.1. */
export class HttpNotificationApi implements NotificationApi {
  readonly #options: HttpNotificationApiOptions

  constructor(options: HttpNotificationApiOptions) {
    this.#options = options
  }

  async post(record: SpoolRecord, { signal }: { signal: AbortSignal }): Promise<DeliveryOutcome> {
    const { clock, timeoutMs } = this.#options
    const limits = { clock, what: 'Posting a notification', timeoutMs, signal }
    try {
      return await withDeadline(limits, async (bounded) => await this.#exchange(record, bounded))
    } catch (error) {
      if (signal.aborted) throw error
      return { kind: 'unreachable', text: withCause(error) }
    }
  }

  forgetToken(): void {
    this.#options.tokens.forget()
  }

  async #exchange(record: SpoolRecord, signal: AbortSignal): Promise<DeliveryOutcome> {
    const { endpoint, tokens, clock, post } = this.#options
    const token = await tokens.token({ signal })
    const base = (await endpoint({ signal })).replace(/\/+$/, '')
    const answer = await post(`${base}/notifications`, {
      body: notificationBody(record.report),
      headers: {
        accept: 'application/json',
        'idempotency-key': record.id,
        'user-agent': 'mainstay-agent',
        ...(token === undefined ? {} : { 'x-auth-token': token }),
      },
      signal,
    })
    return {
      kind: 'answered',
      status: answer.status,
      retryAfterMs: retryAfterMs(answer.retryAfter, clock.now()),
      text: answer.text.slice(0, KEPT_TEXT),
    }
  }
}

/** `fetch` says only "fetch failed"; what failed is in its cause. */
function withCause(error: unknown): string {
  const cause = error instanceof Error && error.cause !== undefined ? `: ${errorMessage(error.cause)}` : ''
  return `${errorMessage(error)}${cause}`
}
