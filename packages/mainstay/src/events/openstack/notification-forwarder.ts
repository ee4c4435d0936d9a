import type { Clock } from '../../core/clock.ts'
import { errorMessage } from '../../core/errors.ts'
import { toJson } from '../../core/json.ts'
import type { Logger } from '../../core/logging.ts'
import { notificationMembers, type OsloNotification } from './oslo-notification.ts'

/** Posts JSON. */
export interface HttpClient {
  /** @throws when nobody answers within `timeoutMs` */
  post(
    url: string,
    request: { readonly body: string; readonly timeoutMs: number; readonly signal: AbortSignal },
  ): Promise<{ readonly status: number }>
}

const TIMEOUT_MS = 5_000

/** How long it waits before it tries again; after the last try it gives up. */
const WAITS_MS = [3_000, 9_000] as const

/** Answers that another try may change. */
function mayChange(status: number): boolean {
  return status >= 500 || status === 408 || status === 429
}

/**
 * Tells another program's API of changes of machines, as the reference tells its own.
 *
 * Source: event-stream.md 8.5.
 */
export class NotificationForwarder {
  readonly url: string
  readonly #http: HttpClient
  readonly #clock: Clock
  readonly #logger: Logger

  /** @param options.apiUrl where the API is; `/notifications/baremetal` is appended */
  constructor(options: { apiUrl: string; http: HttpClient; clock: Clock; logger: Logger }) {
    this.url = `${options.apiUrl.replace(/\/+$/, '')}/notifications/baremetal`
    this.#http = options.http
    this.#clock = options.clock
    this.#logger = options.logger
  }

  /** Whether the API wants to know of this type. */
  wants(eventType: string): boolean {
    return eventType.startsWith('baremetal.')
  }

  /** Posts a notification, again after failures that may pass. Never throws, but the signal's reason. */
  async forward(notification: OsloNotification, signal: AbortSignal): Promise<void> {
    const message = notificationMembers(notification)
    const body = toJson(message)
    for (let attempt = 0; ; attempt += 1) {
      const problem = await this.#post(body, signal)
      if (problem === undefined) return
      const waitMs = problem.final ? undefined : WAITS_MS[attempt]
      if (waitMs === undefined) {
        const text = `${notification.eventType} was not taken by ${this.url}: ${problem.text}`
        this.#logger.error({ notification: message }, text)
        return
      }
      this.#logger.error(`Forwarding to ${this.url} failed: ${problem.text}. Next try in ${waitMs / 1000} s`)
      await this.#clock.sleep(waitMs, { signal })
    }
  }

  /** @returns what went wrong, and whether it will again */
  async #post(body: string, signal: AbortSignal): Promise<{ text: string; final: boolean } | undefined> {
    try {
      const { status } = await this.#http.post(this.url, { body, timeoutMs: TIMEOUT_MS, signal })
      if (status >= 200 && status < 300) return undefined
      return { text: `it answered ${status}`, final: !mayChange(status) }
    } catch (error) {
      signal.throwIfAborted()
      return { text: errorMessage(error), final: false }
    }
  }
}
