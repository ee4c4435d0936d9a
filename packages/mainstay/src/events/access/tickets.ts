import { createHash } from 'node:crypto'

import type { Clock } from '../../core/clock.ts'
import type { RequestContext } from '../../core/context.ts'
import type { Ids } from '../../core/ids.ts'
import { UnauthorizedError } from '../../http/errors.ts'

/** Who somebody is, without the proof of it. */
export type Principal = Omit<RequestContext, 'authToken'>

/** Keeps tickets until they are taken; every node of an installation uses the same one. */
export interface TicketStore {
  /** @param key a digest of the ticket, so that what is stored opens nothing */
  put(key: string, principal: Principal, expiresAtMs: number): Promise<void>
  /** The principal, once; undefined when there is no such ticket. */
  take(key: string): Promise<{ principal: Principal; expiresAtMs: number } | undefined>
  /** Forgets those that nobody has used in time. */
  purge(nowMs: number): Promise<void>
}

export interface Ticket {
  readonly ticket: string
  /** Milliseconds since the Unix epoch. */
  readonly expiresAtMs: number
}

/**
 * Tickets with which a client opens one stream where it cannot send its token: in the URL of a browser's WebSocket or
 * EventSource.
 *
 * Source: event-stream.md R28.
 */
export class Tickets {
  readonly #store: TicketStore
  readonly #clock: Clock
  readonly #ids: Ids
  readonly #lifetimeMs: number

  constructor(deps: { store: TicketStore; clock: Clock; ids: Ids }, { lifetimeMs }: { lifetimeMs: number }) {
    this.#store = deps.store
    this.#clock = deps.clock
    this.#ids = deps.ids
    this.#lifetimeMs = lifetimeMs
  }

  /** Makes a ticket for whoever asks; it does not outlive the proof that it stands for. */
  async issue({ authToken: _token, ...principal }: RequestContext): Promise<Ticket> {
    const now = this.#clock.now()
    const expiresAtMs = Math.min(now + this.#lifetimeMs, principal.authExpiresAtMs ?? Infinity)
    const ticket = `${this.#ids.random()}${this.#ids.random()}`.replaceAll('-', '')
    await this.#store.purge(now)
    await this.#store.put(digest(ticket), principal, expiresAtMs)
    return { ticket, expiresAtMs }
  }

  /**
   * Whose ticket it is. It is then used up.
   *
   * @throws UnauthorizedError
   */
  async redeem(ticket: string): Promise<Principal> {
    const found = await this.#store.take(digest(ticket))
    if (found === undefined || found.expiresAtMs <= this.#clock.now()) {
      throw new UnauthorizedError('The ticket is not valid: it was used before, or its time is over. Get a new one.')
    }
    return found.principal
  }
}

function digest(ticket: string): string {
  return createHash('sha256').update(ticket).digest('hex')
}

/** Tickets of one process. */
export class MemoryTicketStore implements TicketStore {
  readonly #kept = new Map<string, { principal: Principal; expiresAtMs: number }>()

  async put(key: string, principal: Principal, expiresAtMs: number): Promise<void> {
    this.#kept.set(key, { principal, expiresAtMs })
  }

  async take(key: string): Promise<{ principal: Principal; expiresAtMs: number } | undefined> {
    const found = this.#kept.get(key)
    this.#kept.delete(key)
    return found
  }

  async purge(nowMs: number): Promise<void> {
    for (const [key, { expiresAtMs }] of this.#kept) if (expiresAtMs <= nowMs) this.#kept.delete(key)
  }
}
