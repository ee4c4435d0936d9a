/** How this program proves itself to Keystone. */
export type KeystoneCredentials = PasswordCredentials | ApplicationCredentials

export interface PasswordCredentials {
  readonly kind: 'password'
  readonly userName: string
  readonly password: string
  readonly userDomain: DomainName
  readonly scope: Scope
}

export interface ApplicationCredentials {
  readonly kind: 'application-credential'
  readonly id: string
  readonly secret: string
}

/** A domain by id or by name. */
export type DomainName = { readonly id: string } | { readonly name: string }

export type Scope = { readonly project: string; readonly domain: DomainName } | { readonly system: 'all' }

/** The body of `POST /v3/auth/tokens`. */
export function authenticationBody(credentials: KeystoneCredentials): object {
  if (credentials.kind === 'application-credential') {
    const { id, secret } = credentials
    return { auth: { identity: { methods: ['application_credential'], application_credential: { id, secret } } } }
  }
  const { userName, password, userDomain, scope } = credentials
  return {
    auth: {
      identity: { methods: ['password'], password: { user: { name: userName, domain: userDomain, password } } },
      scope: 'system' in scope ? { system: { all: true } } : { project: { name: scope.project, domain: scope.domain } },
    },
  }
}
