import { lookup as resolveName, type LookupAddress } from 'node:dns'
import { Agent as HttpAgent, request as requestHttp, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as requestHttps } from 'node:https'
import { isIP, type LookupFunction } from 'node:net'

import type { Clock } from '../../core/clock.ts'
import { withDeadline } from '../../core/deadline.ts'
import { errorMessage, MainstayError } from '../../core/errors.ts'
import { hostOf, refusal, type TargetRules } from './target.ts'

export interface DeliveryRequest {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** The longest that the receiver may take to answer, connecting included. */
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

/** What came of one attempt. */
export type Answer =
  | { readonly kind: 'answered'; readonly status: number; readonly retryAfter: string | undefined }
  /** No answer: the connection failed, was refused by our rules, or took too long. */
  | { readonly kind: 'failed'; readonly reason: string }

/** Sends one delivery and says what came of it; rejects only with the reason of an aborted signal. */
export type Send = (request: DeliveryRequest) => Promise<Answer>

/** The address of a webhook may not be connected to. */
export class WebhookTargetRefusedError extends MainstayError {
  readonly code = 'MS_WEBHOOK_TARGET'
  readonly status = 403
  readonly retryable = false

  constructor(address: string) {
    super(refusal(address))
  }
}

/** So much of an answer's body is read, so that its connection can be used again; nothing of it is kept. */
const MAX_ANSWER_BYTES = 65_536
const DRAIN_TIMEOUT_MS = 5000

/**
 * Sends over HTTP and HTTPS, on connections that are used again.
 *
 * The rules are applied to the addresses that a name has at the moment of connecting, and the connection is made to
 * one of those that passed: a name that changes its address between the check and the connection gains nothing.
 * Redirects are not followed: they are answers like any other that is not 2xx.
 *
 * Source: event-stream.md R39.
 */
export class Sender implements Disposable {
  readonly #rules: TargetRules
  readonly #clock: Clock
  readonly #http: HttpAgent
  readonly #https: HttpsAgent

  constructor({ rules, clock, resolve }: { rules: TargetRules; clock: Clock; resolve?: LookupFunction | undefined }) {
    this.#rules = rules
    this.#clock = clock
    const options = { keepAlive: true, lookup: guardedLookup(rules, resolve) }
    this.#http = new HttpAgent(options)
    this.#https = new HttpsAgent(options)
  }

  readonly send: Send = async ({ timeoutMs, signal, ...delivery }) => {
    const what = { clock: this.#clock, what: 'The receiver', timeoutMs, signal }
    try {
      return await withDeadline(what, async (deadline) => await this.#exchange({ ...delivery, signal: deadline }))
    } catch (error) {
      signal.throwIfAborted()
      return { kind: 'failed', reason: errorMessage(error) }
    }
  };

  /** Closes connections that are kept. */
  [Symbol.dispose](): void {
    this.#http.destroy()
    this.#https.destroy()
  }

  async #exchange({ url, headers, body, signal }: Omit<DeliveryRequest, 'timeoutMs'>): Promise<Answer> {
    const target = new URL(url)
    // An address needs no lookup, so the guard of names would not see it.
    const host = hostOf(target)
    if (isIP(host) !== 0 && !this.#rules.allows(host)) throw new WebhookTargetRefusedError(host)
    const secure = target.protocol === 'https:'
    const length = { 'content-length': String(Buffer.byteLength(body)) }
    const options = { method: 'POST', headers: { ...headers, ...length }, signal }
    const response = Promise.withResolvers<IncomingMessage>()
    const request = secure
      ? requestHttps(target, { ...options, agent: this.#https })
      : requestHttp(target, { ...options, agent: this.#http })
    // What fails later than the answer is reported by nobody: the answer was there.
    request.on('response', response.resolve).on('error', response.reject)
    request.end(body)
    const answer = await response.promise
    this.#drain(answer)
    return { kind: 'answered', status: answer.statusCode ?? 0, retryAfter: answer.headers['retry-after'] }
  }

  /** Reads a body and forgets it; one that is too long, or takes too long, costs only its connection. */
  #drain(answer: IncomingMessage): void {
    let bytes = 0
    const timer = this.#clock.after(DRAIN_TIMEOUT_MS, () => answer.destroy())
    answer.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes > MAX_ANSWER_BYTES) answer.destroy()
    })
    // A body that breaks off changes nothing: the status was the answer.
    answer.on('error', () => undefined).on('close', () => timer[Symbol.dispose]())
  }
}

/** Resolves a name to those of its addresses that the rules allow, and to an error when there are none. */
export function guardedLookup(rules: TargetRules, resolve: LookupFunction = resolveName): LookupFunction {
  return (host, options, callback) => {
    resolve(host, { ...options, all: true }, (error, found) => {
      if (error !== null) {
        callback(error, '')
        return
      }
      const addresses = typeof found === 'string' ? [{ address: found, family: isIP(found) }] : found
      const allowed = addresses.filter(({ address }: LookupAddress) => rules.allows(address))
      const [first] = allowed
      if (first === undefined) {
        const names = addresses.map(({ address }) => address).join(', ')
        callback(new WebhookTargetRefusedError(`${host} (${names})`), '')
      } else if (options.all === true) {
        callback(null, allowed)
      } else {
        callback(null, first.address, first.family)
      }
    })
  }
}
