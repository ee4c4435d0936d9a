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
  readonly isAdmin: (context: RequestContext) => boolean
}

/**
 * Callers prove themselves with a Keystone token.
 *
 * Source: ha-api.md 4.1.
 */
export function keystoneAuthentication({ validator, authenticateUri, isAdmin }: KeystoneAuthOptions): Authenticate {
  const challenge = `Keystone uri="${authenticateUri}"`
  const refused = (): UnauthorizedError =>
    new UnauthorizedError('The request you have made requires authentication.', { challenge })
  return async (arrival, { signal }) => {
    const id = single(arrival.headers['x-auth-token'])
    if (id === null) throw refused()
    const token = await validate(validator, id, signal)
    if (token === null || token.userId === null) throw refused()
    const context = contextFrom(token, arrival, id)
    return { ...context, isAdmin: isAdmin(context) }
  }
}

async function validate(
  validator: KeystoneAuthOptions['validator'],
  id: string,
  signal: AbortSignal,
): Promise<Token | null> {
  try {
    return await validator.validate(id, { signal })
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
