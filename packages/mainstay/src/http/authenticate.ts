import type { IncomingHttpHeaders } from 'node:http'

import { requestContext, type RequestContext } from '../core/context.ts'

/** What is known of a request before anybody has said who asks. */
export interface Arrival {
  readonly headers: IncomingHttpHeaders
  readonly requestId: string
  readonly globalRequestId: string | null
  readonly remoteAddress: string | null
  /** Milliseconds since the Unix epoch. */
  readonly timestampMs: number
}

/**
 * Says who asks.
 *
 * @throws UnauthorizedError, IdentityUnavailableError
 */
export type Authenticate = (arrival: Arrival, options: { signal: AbortSignal }) => Promise<RequestContext>

/** Every caller is admin; user, project and roles are believed as they are sent. Source: ha-api.md 4.2. */
export async function noauth2(arrival: Arrival): Promise<RequestContext> {
  const { headers } = arrival
  return requestContext({
    requestId: arrival.requestId,
    globalRequestId: arrival.globalRequestId,
    remoteAddress: arrival.remoteAddress,
    timestampMs: arrival.timestampMs,
    userId: single(headers['x-user-id']),
    projectId: single(headers['x-project-id']),
    roles: (single(headers['x-roles']) ?? '')
      .split(',')
      .map((role) => role.trim())
      .filter((role) => role !== ''),
    isAdmin: true,
    authToken: single(headers['x-auth-token']),
  })
}

/** The only value of a header, or null when it is missing or empty. */
export function single(header: string | readonly string[] | undefined): string | null {
  const value = typeof header === 'string' ? header : header?.[0]
  return value === undefined || value === '' ? null : value
}
