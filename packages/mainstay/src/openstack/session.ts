import type { Clock } from '../core/clock.ts'
import { findEndpoint, type EndpointWish } from './catalogue.ts'
import { authenticationBody, type KeystoneCredentials } from './credentials.ts'
import { CredentialsRefusedError, OpenStackUnavailableError, UnexpectedAnswerError } from './errors.ts'
import { MAX_TOKEN_ANSWER_BYTES, tokenFromBody, type Token } from './token.ts'
import type { ServiceAnswer, ServiceRequest, Transport } from './transport.ts'

export interface SessionOptions {
  readonly clock: Clock
  readonly transport: Transport
  /** Keystone's address, with or without `/v3` [auth_url]. */
  readonly authUrl: string
  readonly credentials: KeystoneCredentials
  /** A token is replaced when it expires within this time. */
  readonly renewBeforeMs?: number
}

interface Held {
  readonly id: string
  readonly token: Token
}

const DEFAULT_RENEW_BEFORE_MS = 30_000

/**
 * This program's own place in the cloud: a token that is fetched when it is needed, shared by everybody who asks at the
 * same time, and replaced before it expires or when a service no longer takes it.
 */
export class KeystoneSession {
  readonly #options: SessionOptions
  readonly #identityUrl: string
  #held: Held | undefined
  #fetching: Promise<Held> | undefined

  constructor(options: SessionOptions) {
    this.#options = options
    this.#identityUrl = `${options.authUrl.replace(/\/+$/, '').replace(/\/v3$/, '')}/v3`
  }

  /** Keystone's address with `/v3`. */
  get identityUrl(): string {
    return this.#identityUrl
  }

  /** @throws EndpointNotFoundError, CredentialsRefusedError, OpenStackUnavailableError */
  async endpoint(wish: EndpointWish, { signal }: { signal: AbortSignal }): Promise<string> {
    return findEndpoint((await this.#current(signal)).token.catalogue, wish)
  }

  /**
   * Sends a request with this program's token; once more with a new one when the service does not take it.
   *
   * @throws CredentialsRefusedError, OpenStackUnavailableError
   */
  async send(request: ServiceRequest): Promise<ServiceAnswer> {
    const held = await this.#current(request.signal)
    const answer = await this.#sendWith(held, request)
    if (answer.status !== 401) return answer
    if (this.#held === held) this.#held = undefined
    return await this.#sendWith(await this.#current(request.signal), request)
  }

  async #sendWith({ id }: Held, request: ServiceRequest): Promise<ServiceAnswer> {
    return await this.#options.transport.send({ ...request, headers: { ...request.headers, 'X-Auth-Token': id } })
  }

  async #current(signal: AbortSignal): Promise<Held> {
    const { clock, renewBeforeMs = DEFAULT_RENEW_BEFORE_MS } = this.#options
    if (this.#held !== undefined && this.#held.token.expiresAt - renewBeforeMs > clock.now()) return this.#held
    this.#fetching ??= this.#fetch()
    signal.throwIfAborted()
    return await this.#fetching
  }

  /** Not bound to the signal of one caller, because others wait for it too; the transport bounds it in time. */
  async #fetch(): Promise<Held> {
    try {
      const answer = await this.#options.transport.send({
        method: 'POST',
        url: `${this.#identityUrl}/auth/tokens`,
        body: authenticationBody(this.#options.credentials),
        maxAnswerBytes: MAX_TOKEN_ANSWER_BYTES,
        signal: new AbortController().signal,
      })
      this.#held = heldFrom(answer, this.#identityUrl)
      return this.#held
    } finally {
      this.#fetching = undefined
    }
  }
}

function heldFrom(answer: ServiceAnswer, identityUrl: string): Held {
  if (answer.status === 401 || answer.status === 403) {
    throw new CredentialsRefusedError(
      `Keystone at ${identityUrl} does not accept the configured user. Check name, password, project and domains.`,
    )
  }
  if (answer.status >= 500) {
    throw new OpenStackUnavailableError(`Keystone at ${identityUrl} answered ${answer.status}. Try again later.`)
  }
  const id = answer.headers['x-subject-token']
  const token = tokenFromBody(answer.json)
  if (typeof id !== 'string' || token === undefined) {
    throw new UnexpectedAnswerError(
      `Keystone at ${identityUrl} answered ${answer.status} without a token. Check that the address is Keystone's.`,
      answer.status,
    )
  }
  return { id, token }
}
