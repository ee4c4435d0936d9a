import type { Clock } from '../core/clock.ts'
import { InvalidInputError } from '../core/errors.ts'
import type { Logger } from '../core/logging.ts'
import { defaultRules } from '../ha/index.ts'
import { Policy, keystoneAuthentication, noauth2, type Authenticate, type Authorize } from '../http/index.ts'
import {
  KeystoneSession,
  TokenValidator,
  Transport,
  type DomainName,
  type KeystoneCredentials,
} from '../openstack/index.ts'
import type { Config } from './config/schema.ts'

export interface Access {
  readonly authenticate: Authenticate
  readonly authorize: Authorize
  /** Reads the policy files again. */
  readonly reload: () => void
  /** Whether Keystone takes this program's own user, where there is one. @throws OpenStackError */
  readonly check: (options: { signal: AbortSignal }) => Promise<void>
  /** What the banner says of it. */
  readonly description: string
}

/**
 * Who may come in and what they may do.
 *
 * @throws InvalidInputError, PolicySyntaxError
 */
export function buildAccess(config: Config, { clock, logger }: { clock: Clock; logger: Logger }): Access {
  const { auth, policy: rules } = config
  const policy = new Policy({
    clock,
    logger,
    defaults: defaultRules(rules.roles),
    remoteTimeoutMs: rules.remote_timeout_ms,
    paths: { file: rules.file === '' ? null : rules.file, directories: rules.directories },
  })
  const authorize: Authorize = (rule, context) => policy.authorize(rule, context)
  const reload = (): void => policy.reload()
  if (auth.strategy === 'noauth2') {
    const check = async (): Promise<void> => undefined
    return {
      authenticate: noauth2,
      authorize,
      reload,
      check,
      description: 'everybody who reaches this address is admin',
    }
  }
  if (auth.keystone_url === '') {
    throw new InvalidInputError('auth.strategy is keystone, but auth.keystone_url does not say where Keystone is.')
  }
  const transport = new Transport({ clock, caFile: auth.ca_file === '' ? null : auth.ca_file, insecure: auth.insecure })
  const session = new KeystoneSession({
    clock,
    transport,
    authUrl: auth.keystone_url,
    credentials: credentials(config),
  })
  const validator = new TokenValidator({ clock, session, cacheMs: auth.token_cache_ms })
  const authenticateUri = auth.authenticate_uri === '' ? auth.keystone_url : auth.authenticate_uri
  const authenticate = keystoneAuthentication({
    validator,
    authenticateUri,
    serviceRoles: auth.service_roles.map((role) => role.toLowerCase()),
    isAdmin: (context) => policy.authorize('context_is_admin', context),
  })
  const check: Access['check'] = async ({ signal }) => {
    // Nobody's token: what counts is that the question may be asked.
    await validator.validate('mainstay check', { signal })
  }
  return { authenticate, authorize, reload, check, description: `tokens of Keystone at ${auth.keystone_url}` }
}

/** @throws InvalidInputError when neither a user nor an application credential is given */
function credentials({ auth }: Config): KeystoneCredentials {
  if (auth.application_credential_id !== '') {
    return {
      kind: 'application-credential',
      id: auth.application_credential_id,
      secret: auth.application_credential_secret,
    }
  }
  if (auth.user_name === '') {
    throw new InvalidInputError('auth.strategy is keystone: give auth.user_name and auth.password of the service user.')
  }
  const domain = (id: string, name: string): DomainName => (id === '' ? { name } : { id })
  const projectDomain = domain(auth.project_domain_id, auth.project_domain_name)
  return {
    kind: 'password',
    userName: auth.user_name,
    password: auth.password,
    userDomain: domain(auth.user_domain_id, auth.user_domain_name),
    scope: auth.system_scope === 'all' ? { system: 'all' } : { project: auth.project_name, domain: projectDomain },
  }
}
