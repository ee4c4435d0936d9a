import type { IncomingHttpHeaders } from 'node:http'

import type { Clock } from '../../core/clock.ts'
import type { RequestContext } from '../../core/context.ts'
import { withDeadline } from '../../core/deadline.ts'
import type { Ids } from '../../core/ids.ts'
import { MainstayError } from '../../core/errors.ts'
import type { Authenticate } from '../../http/authenticate.ts'
import { UnauthorizedError } from '../../http/errors.ts'
import { credentialsOf, type Credentials } from './credentials.ts'
import { isOriginAllowed, type OriginRule } from './origin.ts'
import { scopeOf, type EventScope } from './scope.ts'
import type { Principal, Tickets } from './tickets.ts'

/** A page of this origin, or a caller with these rights, may not listen. */
export class StreamForbiddenError extends MainstayError {
  readonly code = 'MS_STREAM_FORBIDDEN'
  readonly status = 403
  readonly retryable = false
}

/** A request to open a stream. */
export interface Knock {
  readonly headers: IncomingHttpHeaders
  readonly query: URLSearchParams
  /** The subprotocols that are offered. */
  readonly protocols: readonly string[]
  readonly remoteAddress: string | null
  readonly local: OriginRule['local']
}

/** Somebody who may listen. */
export interface Listener {
  /** Names the caller in limits, lists and logs; null where nobody is asked who they are. */
  readonly name: string | null
  readonly scope: EventScope
  /** When the right ends, in milliseconds since the Unix epoch; null for never. */
  readonly expiresAtMs: number | null
}

export interface GateDeps {
  readonly authenticate: Authenticate
  readonly tickets: Tickets
  readonly clock: Clock
  readonly ids: Ids
}

export interface GateOptions {
  readonly allowedOrigins: readonly string[]
  /** Whether callers need a proof; where they need none, everybody is an admin. */
  readonly anonymous: boolean
  /** How long checking a proof may take. */
  readonly timeoutMs: number
}

/**
 * Decides who may open a stream, before the connection becomes one.
 *
 * Source: event-stream.md R28 … R31.
 */
export class Gate {
  readonly #deps: GateDeps
  readonly #options: GateOptions

  constructor(deps: GateDeps, options: GateOptions) {
    this.#deps = deps
    this.#options = options
  }

  /** @throws UnauthorizedError, StreamForbiddenError, IdentityUnavailableError */
  async admit(knock: Knock): Promise<Listener> {
    const credentials = credentialsOf(knock.headers, knock.query, knock.protocols)
    this.#checkOrigin(knock, credentials)
    if (credentials.kind === 'ticket') {
      return listener(await this.#deps.tickets.redeem(credentials.ticket))
    }
    const token = credentials.kind === 'token' ? credentials.token : null
    return listener(await this.#authenticate(token, knock.headers, knock.remoteAddress))
  }

  /**
   * A listener shows a new token, so that it may stay.
   *
   * @throws UnauthorizedError, StreamForbiddenError when it is somebody else's, IdentityUnavailableError
   */
  async renew(name: string | null, token: string, remoteAddress: string | null): Promise<Listener> {
    const renewed = listener(await this.#authenticate(token, {}, remoteAddress))
    if (renewed.name !== name) {
      throw new StreamForbiddenError(`The token is not one of ${name ?? 'anybody'}, to whom this stream belongs.`)
    }
    return renewed
  }

  #checkOrigin({ headers, local }: Knock, credentials: Credentials): void {
    const { allowedOrigins, anonymous } = this.#options
    const { origin } = headers
    if (origin === undefined) {
      // No browser's WebSocket, which always says where it comes from: nobody lends a stranger their rights here.
      if (credentials.kind !== 'none' || anonymous) return
      throw new UnauthorizedError(
        'The event stream needs a token: send Authorization: Bearer, or open it with a ticket.',
      )
    }
    if (isOriginAllowed(origin, { allowed: allowedOrigins, local })) return
    throw new StreamForbiddenError(
      `Pages of ${origin} may not open the event stream. Add it to events.stream.allowed_origins if they should.`,
    )
  }

  async #authenticate(
    token: string | null,
    headers: IncomingHttpHeaders,
    remoteAddress: string | null,
  ): Promise<RequestContext> {
    const { authenticate, clock, ids } = this.#deps
    const { timeoutMs } = this.#options
    const arrival = {
      headers: { ...headers, 'x-auth-token': token ?? undefined },
      requestId: `req-${ids.random()}`,
      globalRequestId: null,
      remoteAddress,
      timestampMs: clock.now(),
    }
    return await withDeadline(
      { clock, what: 'Checking a token', timeoutMs },
      async (signal) => await authenticate(arrival, { signal }),
    )
  }
}

function listener(principal: Principal): Listener {
  const scope = scopeOf(principal)
  if (!scope.all && scope.projects.length === 0) {
    throw new StreamForbiddenError('Your token belongs to no project, so there is no event that you may see.')
  }
  const { userId, projectId, authExpiresAtMs: expiresAtMs } = principal
  return { name: userId === null ? null : `${userId}@${projectId ?? 'system'}`, scope, expiresAtMs }
}
