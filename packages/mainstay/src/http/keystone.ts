import { requestContext, type RequestContext } from '../core/context.ts'
import { MainstayError, errorMessage } from '../core/errors.ts'
import type { Token, TokenValidator } from '../openstack/index.ts'
import { single, type Arrival, type Authenticate } from './authenticate.ts'
import { IdentityUnavailableError, UnauthorizedError } from './errors.ts'

export interface KeystoneAuthOptions {
  readonly validator: Pick<TokenValidator, 'validate'>
  /** Where callers get a token; told in `WWW-Authenticate` [www_authenticate_uri]. */
  readonly authenticateUri: string
  /** Whether the caller is admin, by the policy rule `context_is_admin`. */
  /** A service with one of these roles vouches for a user whose token has just expired [service_token_roles]. */
  readonly serviceRoles?: readonly string[]
  readonly isAdmin: (context: RequestContext) => boolean | Promise<boolean>
}

/**
 * Callers prove themselves with a Keystone token.
 *
 * Source: ha-api.md 4.1.
 */
export function keystoneAuthentication({
  validator,
  authenticateUri,
  isAdmin,
  serviceRoles = ['service'],
}: KeystoneAuthOptions): Authenticate {
  const challenge = `Keystone uri="${authenticateUri}"`
  const refused = (): UnauthorizedError =>
    new UnauthorizedError('The request you have made requires authentication.', { challenge })
  return async (arrival, { signal }) => {
    const id = single(arrival.headers['x-auth-token'])
    if (id === null) throw refused()
    const service = single(arrival.headers['x-service-token'])
    const allowExpired =
      service !== null && (await vouches(validator, service, { refused, roles: serviceRoles, signal }))
    const token = await validate(validator, id, { signal, allowExpired })
    if (token === null || token.userId === null) throw refused()
    const context = contextFrom(token, arrival, id)
    return { ...context, isAdmin: await isAdmin(context) }
  }
}

/**
 * Whether the service that passes a request on may do so with a user's token that has expired on the way. A service
 * token that Keystone does not know refuses the request, whatever the user's token is.
 */
async function vouches(
  validator: KeystoneAuthOptions['validator'],
  id: string,
  { refused, roles, signal }: { refused: () => UnauthorizedError; roles: readonly string[]; signal: AbortSignal },
): Promise<boolean> {
  const token = await validate(validator, id, { signal, allowExpired: false })
  if (token === null) throw refused()
  return token.roles.some((role) => roles.includes(role.toLowerCase()))
}

async function validate(
  validator: KeystoneAuthOptions['validator'],
  id: string,
  { signal, allowExpired }: { signal: AbortSignal; allowExpired: boolean },
): Promise<Token | null> {
  try {
    return await validator.validate(id, { signal, allowExpired })
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof MainstayError)) throw error
    throw new IdentityUnavailableError(`The caller's token could not be checked: ${errorMessage(error)}`, {
      cause: error,
    })
  }
}

function contextFrom(token: Token, arrival: Arrival, id: string): RequestContext {
  return requestContext({
    requestId: arrival.requestId,
    globalRequestId: arrival.globalRequestId,
    remoteAddress: arrival.remoteAddress,
    timestampMs: arrival.timestampMs,
    userId: token.userId,
    userName: token.userName,
    userDomainId: token.userDomainId,
    projectId: token.projectId,
    projectName: token.projectName,
    projectDomainId: token.projectDomainId,
    systemScope: token.systemScope,
    isAdminProject: token.isAdminProject,
    roles: token.roles,
    authToken: id,
    authExpiresAtMs: token.expiresAt,
  })
}
