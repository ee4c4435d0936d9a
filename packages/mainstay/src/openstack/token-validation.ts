import { hash } from 'node:crypto'

import type { Clock } from '../core/clock.ts'
import { UnexpectedAnswerError } from './errors.ts'
import type { KeystoneSession } from './session.ts'
import type { ServiceAnswer } from './transport.ts'
import { MAX_TOKEN_ANSWER_BYTES, tokenFromBody, type Token } from './token.ts'

export interface TokenValidatorOptions {
  readonly clock: Clock
  readonly session: KeystoneSession
  /** How long an answer is believed, at most until the token expires [token_cache_time]. */
  readonly cacheMs?: number
  /** The most tokens that are remembered; the least recently used is forgotten. */
  readonly maxCached?: number
}

interface Remembered {
  /** Null for a token that Keystone does not know. */
  readonly token: Token | null
  readonly until: number
}

const DEFAULT_CACHE_MS = 300_000
const DEFAULT_MAX_CACHED = 10_000

/**
 * Asks Keystone about other people's tokens, once for everybody who asks at the same time, and remembers the answer.
 * Tokens themselves are never kept, only their SHA-256.
 *
 * Source: ha-api.md 4.1.
 */
export class TokenValidator {
  readonly #options: TokenValidatorOptions
  readonly #remembered = new Map<string, Remembered>()
  readonly #asking = new Map<string, Promise<Token | null>>()

  constructor(options: TokenValidatorOptions) {
    this.#options = options
  }

  /**
   * @param options.allowExpired also takes one that has expired, for as long as Keystone still knows it: a service vouches
   *   for the request
   * @returns the token, or null when it is unknown, revoked or expired
   * @throws OpenStackUnavailableError, CredentialsRefusedError, UnexpectedAnswerError
   */
  async validate(
    id: string,
    { signal, allowExpired = false }: { signal: AbortSignal; allowExpired?: boolean },
  ): Promise<Token | null> {
    const key = `${allowExpired ? 'expired ' : ''}${hash('sha256', id, 'base64')}`
    const now = this.#options.clock.now()
    const known = this.#remembered.get(key)
    if (known !== undefined && known.until > now) {
      this.#remembered.delete(key)
      this.#remembered.set(key, known)
      return known.token
    }
    signal.throwIfAborted()
    let asking = this.#asking.get(key)
    if (asking === undefined) {
      asking = this.#ask(id, { key, allowExpired })
      this.#asking.set(key, asking)
    }
    return await asking
  }

  async #ask(id: string, { key, allowExpired }: { key: string; allowExpired: boolean }): Promise<Token | null> {
    const { session, clock, cacheMs = DEFAULT_CACHE_MS } = this.#options
    try {
      const answer = await session.send({
        method: 'GET',
        url: `${session.identityUrl}/auth/tokens?nocatalog${allowExpired ? '&allow_expired=1' : ''}`,
        headers: { 'X-Subject-Token': id },
        maxAnswerBytes: MAX_TOKEN_ANSWER_BYTES,
        signal: new AbortController().signal,
      })
      const found = foundIn(answer)
      const now = clock.now()
      const token = found === null || (found.expiresAt <= now && !allowExpired) ? null : found
      const until = now + cacheMs
      const ends = token === null || token.expiresAt <= now ? until : Math.min(until, token.expiresAt)
      this.#remember(key, { token, until: ends })
      return token
    } finally {
      this.#asking.delete(key)
    }
  }

  #remember(key: string, remembered: Remembered): void {
    const { maxCached = DEFAULT_MAX_CACHED } = this.#options
    this.#remembered.delete(key)
    this.#remembered.set(key, remembered)
    if (this.#remembered.size <= maxCached) return
    const [oldest] = this.#remembered.keys()
    if (oldest !== undefined) this.#remembered.delete(oldest)
  }
}

/**
 * Only a token and a plain "not found" say something about a token. Everything else says that Keystone, or what stands
 * for it, is not well, and is neither believed nor remembered.
 *
 * @throws UnexpectedAnswerError
 */
function foundIn({ status, json }: ServiceAnswer): Token | null {
  if (status === 404) return null
  if (status !== 200) {
    throw new UnexpectedAnswerError(
      `Keystone answered ${status} to a question about a token. Check that the configured user may ask it.`,
      status,
    )
  }
  const token = tokenFromBody(json)
  if (token === undefined) {
    throw new UnexpectedAnswerError(
      "Keystone answered a question about a token with something that is none. Check that the address is Keystone's and that Keystone is well.",
      status,
    )
  }
  return token
}
