import pRetry from 'p-retry'

import { SystemClock, type Clock } from '../core/clock.ts'
import { withDeadline } from '../core/deadline.ts'
import { InvalidInputError, errorCode, errorMessage, isRetryable } from '../core/errors.ts'
import { parseJson, toJson, type Json } from '../core/json.ts'
import { MainstayApiError, ServerUnreachableError, UnexpectedAnswerError } from './errors.ts'
import { readFault } from './fault.ts'
import type { TokenSource } from './token.ts'

/** What every call may be given. */
export interface CallOptions {
  /** Gives the call up; the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined
}

export interface TransportOptions {
  /** Where the server listens, with or without the `/v1` of a service catalogue: `http://127.0.0.1:15868`. */
  readonly endpoint: string
  /** Gives the `X-Auth-Token`; no token is sent without it. */
  readonly tokens?: TokenSource | undefined
  /** The longest that one attempt may take, in milliseconds. */
  readonly timeoutMs?: number | undefined
  /** How often a call that changes nothing when repeated is tried again. */
  readonly retries?: number | undefined
  /** The first pause between attempts, in milliseconds; it doubles. */
  readonly retryMinDelayMs?: number | undefined
  /** The longest pause between attempts, in milliseconds. */
  readonly retryMaxDelayMs?: number | undefined
  /** The version that is asked for (ha-api.md 3). */
  readonly microversion?: string | undefined
  /** Replaces the platform's `fetch`, for example to trust a private authority. */
  readonly fetch?: typeof globalThis.fetch | undefined
  /** For the time limits of calls, signs of life of leases, and waits; the platform's own unless given. */
  readonly clock?: Clock | undefined
}

export interface Call {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** `v1` is the Masakari-compatible API, `root` everything else. */
  readonly api: 'v1' | 'root'
  /** Begins with a slash; its parts are escaped already. */
  readonly path: string
  readonly query?: Query | undefined
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Whether a repeat is harmless. Every method but POST is, unless said otherwise. */
  readonly idempotent?: boolean | undefined
  readonly signal?: AbortSignal | undefined
  /** Told before every attempt. */
  readonly onAttempt?: (() => void) | undefined
}

export type Query = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>

export interface Answer {
  readonly status: number
  /** Undefined when the answer has no body. */
  readonly body: Json | undefined
}

export const DEFAULT_TIMEOUT_MS = 30_000
export const DEFAULT_MICROVERSION = '1.3'

/**
 * Sends calls and brings back answers: addresses, headers, deadlines, repeats, faults. Needs nothing of Node: the pauses
 * are those of p-retry.
 *
 * Redirects are not followed, because the platform would take the token along to wherever they point.
 */
export class Transport {
  readonly #options: TransportOptions
  readonly #clock: Clock
  readonly #root: string
  readonly #v1: string

  /** @throws InvalidInputError when the endpoint is no http or https address */
  constructor(options: TransportOptions) {
    this.#options = options
    this.#clock = options.clock ?? new SystemClock()
    const url = readEndpoint(options.endpoint)
    const base = `${url.origin}${url.pathname}`.replace(/\/+$/, '')
    this.#root = base.replace(/\/v1(\/[^/]+)?$/, '')
    this.#v1 = base === this.#root ? `${base}/v1` : base
  }

  /** The address of a call, as `curl` would need it. */
  url({ api, path, query = {} }: Pick<Call, 'api' | 'path' | 'query'>): string {
    const search = new URLSearchParams()
    for (const [name, value] of Object.entries(query)) {
      if (value === undefined) continue
      for (const each of typeof value === 'object' ? value : [value]) search.append(name, String(each))
    }
    const base = api === 'v1' ? this.#v1 : this.#root
    return `${base}${path}${search.size === 0 ? '' : `?${search.toString()}`}`
  }

  /**
   * Makes a call.
   *
   * @throws MainstayApiError, ServerUnreachableError, TimeoutError, UnexpectedAnswerError, or the signal's reason
   */
  async send(call: Call): Promise<Answer> {
    const { retries = 2, retryMinDelayMs = 100, retryMaxDelayMs = 2000 } = this.#options
    const { idempotent = call.method !== 'POST', signal, onAttempt } = call
    const work = async (): Promise<Answer> => {
      onAttempt?.()
      return await this.#attempt(call)
    }
    return await pRetry(work, {
      retries: idempotent ? retries : 0,
      minTimeout: retryMinDelayMs,
      maxTimeout: retryMaxDelayMs,
      randomize: true,
      shouldRetry: ({ error }) => isRetryable(error),
      ...(signal === undefined ? {} : { signal }),
    })
  }

  /**
   * Makes a call that deletes. A repeat that finds nothing has what it wanted: an earlier attempt was carried out and
   * only its answer was lost.
   *
   * @throws as {@link send}
   */
  async delete(call: Call): Promise<void> {
    let attempts = 0
    const counted: Call = { ...call, onAttempt: () => void (attempts += 1) }
    try {
      await this.send(counted)
    } catch (error) {
      if (attempts > 1 && error instanceof MainstayApiError && error.status === 404) return
      throw error
    }
  }

  /**
   * Opens an answer that does not end by itself, such as an event stream; there is no time limit on it.
   *
   * @throws as {@link send}, without repeats
   */
  async stream({
    path,
    signal,
  }: {
    readonly path: string
    readonly signal: AbortSignal
  }): Promise<ReadableStream<Uint8Array>> {
    const { tokens, fetch = globalThis.fetch } = this.#options
    const token = await tokens?.token({ refused: undefined, signal })
    const call = { method: 'GET', api: 'root', path, headers: { accept: 'text/event-stream' } } as const
    try {
      const response = await fetch(this.url(call), { headers: this.#headers(call, token), redirect: 'manual', signal })
      if (!response.ok) throw new MainstayApiError(`GET ${path}`, readFault(response, await response.text()))
      if (response.body === null) throw new UnexpectedAnswerError(`GET ${path}`, 'it is empty')
      return response.body
    } catch (error) {
      signal.throwIfAborted()
      if (error instanceof MainstayApiError || error instanceof UnexpectedAnswerError) throw error
      throw new ServerUnreachableError(this.#root, whyUnreachable(error), { cause: error })
    }
  }

  /** A token may have expired: a refused one is replaced once. Nothing was carried out for a refused token. */
  async #attempt(call: Call): Promise<Answer> {
    const { tokens } = this.#options
    if (tokens === undefined) return await this.#exchange(call, undefined)
    const token = await tokens.token({ refused: undefined, signal: call.signal })
    try {
      return await this.#exchange(call, token)
    } catch (error) {
      if (!(error instanceof MainstayApiError) || error.status !== 401) throw error
      const fresh = await tokens.token({ refused: token, signal: call.signal })
      if (fresh === token) throw error
      return await this.#exchange(call, fresh)
    }
  }

  async #exchange(call: Call, token: string | undefined): Promise<Answer> {
    const { timeoutMs = DEFAULT_TIMEOUT_MS } = this.#options
    const limit = { clock: this.#clock, what: `${call.method} ${call.path} at ${this.#root}`, timeoutMs }
    return await withDeadline({ ...limit, signal: call.signal }, async (signal) => {
      return await this.#fetch(call, token, signal)
    })
  }

  async #fetch(call: Call, token: string | undefined, signal: AbortSignal): Promise<Answer> {
    const { fetch = globalThis.fetch } = this.#options
    const what = `${call.method} ${call.path}`
    try {
      const response = await fetch(this.url(call), {
        method: call.method,
        headers: this.#headers(call, token),
        redirect: 'manual',
        signal,
        ...(call.body === undefined ? {} : { body: toJson(call.body) }),
      })
      const text = await response.text()
      if (!response.ok) throw new MainstayApiError(what, readFault(response, text))
      return { status: response.status, body: text === '' ? undefined : readBody(what, text) }
    } catch (error) {
      signal.throwIfAborted()
      if (error instanceof MainstayApiError || error instanceof UnexpectedAnswerError) throw error
      throw new ServerUnreachableError(this.#root, whyUnreachable(error), { cause: error })
    }
  }

  #headers(call: Call, token: string | undefined): Record<string, string> {
    return {
      accept: 'application/json',
      ...(call.api === 'v1'
        ? { 'openstack-api-version': `instance-ha ${this.#options.microversion ?? DEFAULT_MICROVERSION}` }
        : {}),
      ...(call.body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(token === undefined ? {} : { 'x-auth-token': token }),
      ...call.headers,
    }
  }
}

function readEndpoint(endpoint: string): URL {
  const url = URL.parse(endpoint)
  if (url !== null && (url.protocol === 'http:' || url.protocol === 'https:')) return url
  throw new InvalidInputError(
    `The endpoint "${endpoint}" is no http or https address. Write it as http://127.0.0.1:15868.`,
  )
}

function readBody(what: string, text: string): Json {
  try {
    return parseJson(text, 'its body')
  } catch (error) {
    throw new UnexpectedAnswerError(what, errorMessage(error), { cause: error })
  }
}

/** `fetch` hides the reason of a failed connection in the cause of its error. */
function whyUnreachable(error: unknown): string {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
  const code = errorCode(cause)
  const text = errorMessage(cause)
  if (code === 'ECONNREFUSED') return 'the connection was refused (ECONNREFUSED)'
  return code === undefined || text.includes(code) ? text : `${text} (${code})`
}
