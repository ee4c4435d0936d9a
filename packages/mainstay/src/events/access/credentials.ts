import type { IncomingHttpHeaders } from 'node:http'

import { UnauthorizedError } from '../../http/errors.ts'

/** How somebody proves who they are. */
export type Credentials =
  | { readonly kind: 'token'; readonly token: string }
  | { readonly kind: 'ticket'; readonly ticket: string }
  | { readonly kind: 'none' }

/** Stands before a token that is sent as a subprotocol: browsers cannot send headers with a WebSocket. */
export const BEARER_PROTOCOL = 'bearer.'

/** Parameters under which a token would come into logs, histories and referrers. */
const TOKENS_IN_URL = ['token', 'access_token', 'auth_token', 'x-auth-token', 'bearer']

/**
 * Finds the proof in a request: a ticket, a token in a header, or a token as a subprotocol.
 *
 * Source: event-stream.md R28.
 *
 * @param protocols the subprotocols that are offered
 * @throws UnauthorizedError when a token is in the URL, or there are several proofs
 */
export function credentialsOf(
  headers: IncomingHttpHeaders,
  query: URLSearchParams,
  protocols: readonly string[] = [],
): Credentials {
  if (TOKENS_IN_URL.some((name) => query.has(name))) {
    throw new UnauthorizedError(
      'A token does not belong into a URL, where logs keep it. Send it as Authorization: Bearer, or get a ticket from POST /v1/events/tickets.',
    )
  }
  const found: Credentials[] = [...ticketsIn(query), ...tokensIn(headers, protocols)]
  if (found.length > 1) throw new UnauthorizedError('Prove who you are in one way, not in several.')
  return found[0] ?? { kind: 'none' }
}

function ticketsIn(query: URLSearchParams): Credentials[] {
  return query.getAll('ticket').map((ticket) => ({ kind: 'ticket', ticket }))
}

function tokensIn(headers: IncomingHttpHeaders, protocols: readonly string[]): Credentials[] {
  const bearer = /^Bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1]
  const own = headers['x-auth-token']
  const offered = protocols.filter((protocol) => protocol.startsWith(BEARER_PROTOCOL))
  const decoded = offered.map((protocol) =>
    Buffer.from(protocol.slice(BEARER_PROTOCOL.length), 'base64url').toString('utf8'),
  )
  const all = [bearer, typeof own === 'string' ? own : undefined, ...decoded]
  // The same token in two headers is one proof.
  return [...new Set(all)].flatMap((token) => (token === undefined || token === '' ? [] : [{ kind: 'token', token }]))
}
