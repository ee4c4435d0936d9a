import { errorMessage } from '../../core/errors.ts'
import { isJsonObject, parseJson } from '../../core/json.ts'
import { readFault } from '../fault.ts'
import type { TokenSource } from '../token.ts'
import { StreamRefusedError } from './errors.ts'
import type { LinkEnd, TransportName } from './reconnect.ts'
import { TICKETS_PATH } from './stream-url.ts'

/** What a connection shows the server, or why there is nothing to show. */
export type Granted =
  | { readonly granted: true; readonly headers: Readonly<Record<string, string>>; readonly ticket: string | undefined }
  | { readonly granted: false; readonly end: LinkEnd }

/**
 * Who this client is. A WebSocket of a browser can send no header, and a token in an address would be kept in logs: it
 * shows a ticket that is good once, for a short time.
 *
 * Source: event-stream.md R28, R30.
 */
export class Credentials {
  readonly #root: string
  readonly #tokens: TokenSource | undefined
  readonly #fetch: typeof globalThis.fetch
  #token: string | undefined

  constructor(of: { root: string; tokens: TokenSource | undefined; fetch: typeof globalThis.fetch }) {
    this.#root = of.root
    this.#tokens = of.tokens
    this.#fetch = of.fetch
  }

  /**
   * @param renew whether the last token was refused
   * @throws StreamRefusedError when there is no other token, and what the source of tokens throws
   */
  async show(transport: TransportName, { renew, signal }: { renew: boolean; signal: AbortSignal }): Promise<Granted> {
    const token = await this.token({ renew, signal })
    if (token === undefined) return { granted: true, headers: {}, ticket: undefined }
    const headers = { 'x-auth-token': token, authorization: `Bearer ${token}` }
    if (transport === 'sse') return { granted: true, headers, ticket: undefined }
    return await this.#ticket(headers, signal)
  }

  /** A token, another one than before with `renew`; undefined where none is needed. @throws StreamRefusedError */
  async token({ renew, signal }: { renew: boolean; signal: AbortSignal }): Promise<string | undefined> {
    const refused = renew ? this.#token : undefined
    const token = await this.#tokens?.token({ refused, signal })
    if (renew && (token === undefined || token === refused)) {
      const why =
        token === undefined ? 'it wants to know who calls, and no token was given' : 'it does not take the token'
      throw new StreamRefusedError(this.#root, why, { status: 401 })
    }
    this.#token = token
    return token
  }

  async #ticket(headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<Granted> {
    try {
      const url = this.#root + TICKETS_PATH
      const response = await this.#fetch(url, { method: 'POST', headers, redirect: 'manual', signal })
      const text = await response.text()
      if (!response.ok) {
        const { status, retryAfterMs, message } = readFault(response, text)
        return { granted: false, end: { kind: 'refused', status, retryAfterMs, message } }
      }
      const body = parseJson(text, 'The answer to a wish for a ticket')
      const ticket = isJsonObject(body) ? body['ticket'] : undefined
      if (typeof ticket === 'string') return { granted: true, headers: {}, ticket }
      return { granted: false, end: { kind: 'failed', message: 'the server gave an answer without a ticket' } }
    } catch (error) {
      signal.throwIfAborted()
      const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
      return { granted: false, end: { kind: 'failed', message: errorMessage(cause) } }
    }
  }
}
