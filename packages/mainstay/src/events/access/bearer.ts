import type { Authenticate } from '../../http/authenticate.ts'

/** Takes a token also from `Authorization: Bearer`, for clients that know no OpenStack. Source: event-stream.md R28. */
export function withBearer(authenticate: Authenticate): Authenticate {
  return async (arrival, options) => {
    const { headers } = arrival
    const token = /^Bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1]
    if (token === undefined || headers['x-auth-token'] !== undefined) return await authenticate(arrival, options)
    return await authenticate({ ...arrival, headers: { ...headers, 'x-auth-token': token } }, options)
  }
}
