import type { Clock } from '../core/clock.ts'
import { Transport } from '../openstack/index.ts'
import type { AgentApiOptions } from './agent-options.ts'
import { AgentConfigError } from './errors.ts'
import { fetchPost, type HttpPost } from './sender/http-post.ts'
import { noAuthentication, staticToken, type TokenSource } from './sender/token-source.ts'

/** Where the API is and who vouches for the agent. */
export interface ApiAccess {
  readonly endpoint: (options: { signal: AbortSignal }) => Promise<string>
  readonly tokens: TokenSource
}

/** How a composition root lets the agent in by Keystone: tokens, and the catalogue's address of the API (SND-1). */
export type KeystoneAccess = (options: AgentApiOptions) => ApiAccess

/**
 * The access that the options describe.
 *
 * @throws AgentConfigError when they do not suffice
 */
export function apiAccess(options: AgentApiOptions, keystone: KeystoneAccess | undefined): ApiAccess {
  const { authType, endpoint, token } = options
  if (authType === 'keystone') {
    if (keystone === undefined) {
      throw new AgentConfigError(
        'auth_type asks for Keystone, which this agent was started without; use "none" or "token".',
      )
    }
    const access = keystone(options)
    return endpoint === undefined ? access : { ...access, endpoint: async () => endpoint }
  }
  if (endpoint === undefined) {
    throw new AgentConfigError(
      `auth_type is "${authType}", so no catalogue says where the API is: set [api] endpoint_override, for example ` +
        `http://127.0.0.1:15868/v1.`,
    )
  }
  if (authType === 'token' && token === undefined) {
    throw new AgentConfigError('auth_type is "token", but [api] token is not set.')
  }
  const tokens = authType === 'token' && token !== undefined ? staticToken(token) : noAuthentication
  return { endpoint: async () => endpoint, tokens }
}

/** The way to post: plain `fetch`, unless certificates need care. Client certificates are not supported. */
export function apiPost({ cafile, certfile, insecure, timeoutMs }: AgentApiOptions, clock: Clock): HttpPost {
  if (certfile !== undefined) {
    throw new AgentConfigError('[api] certfile is set, but the agent cannot show a client certificate. Remove it.')
  }
  if (cafile === undefined && !insecure) return fetchPost
  const transport = new Transport({ clock, timeoutMs, caFile: cafile ?? null, insecure })
  return async (url, { body, headers, signal }) => {
    const answer = await transport.send({ method: 'POST', url, headers, body, signal })
    const retryAfter = answer.headers['retry-after']
    return { status: answer.status, text: answer.text, retryAfter: typeof retryAfter === 'string' ? retryAfter : null }
  }
}
