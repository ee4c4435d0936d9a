import type { IncomingHttpHeaders } from 'node:http'

/** Cross-origin access, off until an origin is allowed. Source: ha-api.md 1.6. */

const ALLOW_HEADERS = [
  'X-Auth-Token',
  'X-Openstack-Request-Id',
  'X-Identity-Status',
  'X-Roles',
  'X-Service-Catalog',
  'X-User-Id',
  'X-Tenant-Id',
].join(', ')

const EXPOSE_HEADERS = ['X-Auth-Token', 'X-Openstack-Request-Id', 'X-Subject-Token', 'X-Service-Token'].join(', ')
const METHODS = 'GET, PUT, POST, DELETE, PATCH'
const MAX_AGE_S = 3600

/**
 * Headers for a response to a request from a browser's page; none when its origin is not allowed. Only a page of an
 * origin that is listed by name may send credentials; `*` lets every page in without them.
 */
export function corsHeaders(
  { method, headers }: { readonly method: string; readonly headers: IncomingHttpHeaders },
  origins: readonly string[],
): Record<string, string> {
  const { origin } = headers
  const allowed = origin === undefined ? undefined : allowance(origin, origins)
  if (allowed === undefined) return {}
  if (method !== 'OPTIONS') return { ...allowed, 'Access-Control-Expose-Headers': EXPOSE_HEADERS }
  return {
    ...allowed,
    'Access-Control-Allow-Methods': METHODS,
    'Access-Control-Allow-Headers': ALLOW_HEADERS,
    'Access-Control-Max-Age': String(MAX_AGE_S),
  }
}

function allowance(origin: string, origins: readonly string[]): Record<string, string> | undefined {
  if (origin !== '*' && origins.includes(origin)) {
    return { 'Access-Control-Allow-Origin': origin, 'Access-Control-Allow-Credentials': 'true', Vary: 'Origin' }
  }
  return origins.includes('*') ? { 'Access-Control-Allow-Origin': '*', Vary: 'Origin' } : undefined
}
