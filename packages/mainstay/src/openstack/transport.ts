import { readFileSync } from 'node:fs'
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'

import type { Clock } from '../core/clock.ts'
import { withDeadline } from '../core/deadline.ts'
import { errorMessage, InvalidInputError, MainstayError } from '../core/errors.ts'
import { maskUrl } from '../core/logging.ts'
import { parseJson, toJson, type Json } from '../core/json.ts'
import { OpenStackUnavailableError } from './errors.ts'

export interface TransportOptions {
  readonly clock: Clock
  /** The longest that one request may take. */
  readonly timeoutMs?: number
  /** File with the authorities that are trusted, PEM [cafile]. */
  readonly caFile?: string | null
  /** Whether any certificate is believed [insecure]. */
  readonly insecure?: boolean
  /** The longest answer that is read. */
  readonly maxAnswerBytes?: number
}

export interface ServiceRequest {
  readonly method: string
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  /** Sent as JSON. */
  readonly body?: unknown
  /** The longest answer to this request that is read, where less than the transport's is enough. */
  readonly maxAnswerBytes?: number
  readonly signal: AbortSignal
}

export interface ServiceAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** Null where the answer is empty or no JSON. */
  readonly json: Json
  readonly text: string
}

const DEFAULT_TIMEOUT_MS = 30_000
const DEFAULT_MAX_ANSWER_BYTES = 64 * 1024 * 1024

/**
 * Requests to OpenStack services over kept connections.
 *
 * On `node:http` and not on `fetch`, because the built-in `fetch` cannot be given a certificate authority of its own.
 */
export class Transport implements Disposable {
  readonly #options: TransportOptions
  readonly #http = new HttpAgent({ keepAlive: true })
  readonly #https: HttpsAgent

  constructor(options: TransportOptions) {
    this.#options = options
    this.#https = new HttpsAgent({
      keepAlive: true,
      rejectUnauthorized: options.insecure !== true,
      ...(options.caFile === undefined || options.caFile === null ? {} : { ca: readFileSync(options.caFile, 'utf8') }),
    })
  }

  /**
   * @returns whatever the service answered, errors too
   * @throws OpenStackUnavailableError when it did not answer in time
   */
  async send(request: ServiceRequest): Promise<ServiceAnswer> {
    const { clock, timeoutMs = DEFAULT_TIMEOUT_MS } = this.#options
    const what = `${request.method} ${maskUrl(request.url)}`
    try {
      return await withDeadline(
        { clock, what, timeoutMs, signal: request.signal },
        async (signal) => await this.#exchange({ ...request, signal }),
      )
    } catch (error) {
      request.signal.throwIfAborted()
      if (error instanceof MainstayError && !error.retryable) throw error
      throw new OpenStackUnavailableError(
        `${what} got no answer (${errorMessage(error)}). Check that the service runs and that its address is right.`,
        { cause: error },
      )
    }
  }

  [Symbol.dispose](): void {
    this.#http.destroy()
    this.#https.destroy()
  }

  async #exchange({ method, url, headers, body, maxAnswerBytes, signal }: ServiceRequest): Promise<ServiceAnswer> {
    const payload = body === undefined ? undefined : toJson(body)
    const target = parseUrl(url)
    const secure = target.protocol === 'https:'
    const sent = (secure ? httpsRequest : httpRequest)(target, {
      method,
      signal,
      agent: secure ? this.#https : this.#http,
      headers: {
        Accept: 'application/json',
        ...(payload === undefined
          ? {}
          : { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(payload) }),
        ...headers,
      },
    })
    const answered = Promise.withResolvers<IncomingMessage>()
    sent.on('response', answered.resolve).on('error', answered.reject)
    sent.end(payload)
    const response = await answered.promise
    const text = await this.#read(response, maxAnswerBytes)
    const isJson = response.headers['content-type']?.includes('json') === true && text !== ''
    return {
      status: response.statusCode ?? 0,
      headers: response.headers,
      json: isJson ? parseJson(text, `the answer to ${method} ${maskUrl(url)}`) : null,
      text,
    }
  }

  async #read(
    response: IncomingMessage,
    maxAnswerBytes = this.#options.maxAnswerBytes ?? DEFAULT_MAX_ANSWER_BYTES,
  ): Promise<string> {
    const chunks: Buffer[] = []
    let bytes = 0
    for await (const chunk of response) {
      const buffer = chunk as Buffer
      bytes += buffer.length
      if (bytes > maxAnswerBytes) {
        response.destroy()
        throw new OpenStackUnavailableError(`The answer is longer than ${maxAnswerBytes} bytes.`)
      }
      chunks.push(buffer)
    }
    return Buffer.concat(chunks).toString('utf8')
  }
}

/** @throws InvalidInputError */
function parseUrl(url: string): URL {
  const parsed = URL.canParse(url) ? new URL(url) : undefined
  if (parsed === undefined || !['http:', 'https:'].includes(parsed.protocol)) {
    throw new InvalidInputError(`${url} is no http or https address. Correct it in the configuration.`)
  }
  return parsed
}
