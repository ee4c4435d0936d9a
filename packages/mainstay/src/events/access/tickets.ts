import { createHash } from 'node:crypto'

import type { Clock } from '../../core/clock.ts'
import type { RequestContext } from '../../core/context.ts'
import type { Ids } from '../../core/ids.ts'
import { UnauthorizedError } from '../../http/errors.ts'

/** Who somebody is, without the proof of it. */
export type Principal = Omit<RequestContext, 'authToken'>

/** A ticket that was not used yet. */
export interface KeptTicket {
  readonly principal: Principal
  /** Milliseconds since the Unix epoch. */
  readonly expiresAtMs: number
}

/** Keeps tickets until they are taken; every node of an installation uses the same one. */
export interface TicketStore {
  /**
   * Keeps a ticket, and forgets those that nobody has used in time.
   *
   * @param digest of the ticket, so that what is stored opens nothing
   */
  put(digest: string, ticket: KeptTicket, nowMs: number): Promise<void>
  /** Gives a ticket, once; undefined when there is none. */
  take(digest: string): Promise<KeptTicket | undefined>
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
    await this.#store.put(digest(ticket), { principal, expiresAtMs }, now)
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
  readonly #kept = new Map<string, KeptTicket>()

  async put(digest: string, ticket: KeptTicket, nowMs: number): Promise<void> {
    for (const [each, { expiresAtMs }] of this.#kept) if (expiresAtMs <= nowMs) this.#kept.delete(each)
    this.#kept.set(digest, ticket)
  }

  async take(digest: string): Promise<KeptTicket | undefined> {
    const found = this.#kept.get(digest)
    this.#kept.delete(digest)
    return found
  }
}
