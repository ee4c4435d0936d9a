import type { Cluster, ManagedServer } from '@mainstay/testkit'

import type { SystemClock } from '../../../packages/mainstay/src/core/clock.ts'
import { silentLogger } from '../../../packages/mainstay/src/core/logging.ts'
import { isJsonObject, type Json } from '../../../packages/mainstay/src/core/json.ts'
import { defaultRules } from '../../../packages/mainstay/src/ha/index.ts'
import { keystoneAuthentication, Policy, type Authenticate } from '../../../packages/mainstay/src/http/index.ts'
import {
  KeystoneSession,
  TokenValidator,
  Transport,
  type KeystoneCredentials,
} from '../../../packages/mainstay/src/openstack/index.ts'
import { SqliteConnection } from '../../../packages/mainstay/src/store/sqlite/connection.ts'

const DEFAULT_DOMAIN = { name: 'Default' } as const

export const ADMIN_PASSWORD = 'test-admin-pass'

/** The administrator of a test's Keystone. */
export const ADMIN: KeystoneCredentials = {
  kind: 'password',
  userName: 'admin',
  password: ADMIN_PASSWORD,
  userDomain: DEFAULT_DOMAIN,
  scope: { project: 'admin', domain: DEFAULT_DOMAIN },
}

export interface KeystoneSide extends Disposable {
  readonly authenticate: Authenticate
  readonly policy: Policy
  /** This program's own session, as the administrator. */
  readonly session: KeystoneSession
  /** Calls Keystone's API as the administrator. @returns the body of the answer */
  call(method: string, path: string, body?: unknown): Promise<Json>
}

/**
 * Starts a Keystone whose database can be read and written at the same time: on SQLite's default journal it answers
 * 500 to most changes.
 */
export async function startKeystone(cluster: Cluster): Promise<ManagedServer> {
  const keystone = cluster.component('keystone')
  await keystone.start()
  new SqliteConnection({ path: keystone.dbUrl.replace(/^sqlite:\/+/, '/') }).close()
  return keystone
}

/** What a Mainstay needs to ask a real Keystone. */
export function keystoneSide(
  keystone: ManagedServer,
  clock: SystemClock,
  credentials: KeystoneCredentials = ADMIN,
): KeystoneSide {
  const transport = new Transport({ clock })
  const session = new KeystoneSession({ clock, transport, authUrl: keystone.url, credentials })
  const administrator = new KeystoneSession({ clock, transport, authUrl: keystone.url, credentials: ADMIN })
  const policy = new Policy({ clock, logger: silentLogger(), defaults: defaultRules() })
  const { signal } = new AbortController()
  return {
    session,
    policy,
    authenticate: keystoneAuthentication({
      validator: new TokenValidator({ clock, session }),
      authenticateUri: session.identityUrl,
      isAdmin: (context) => policy.authorize('context_is_admin', context),
    }),
    call: async (method, path, body) => {
      const answer = await administrator.send({ method, url: `${session.identityUrl}${path}`, body, signal })
      if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`)
      return answer.json
    },
    [Symbol.dispose]: () => transport[Symbol.dispose](),
  }
}

/** Registers the HA API in the catalogue, and a user who is no administrator. */
export async function furnish(side: KeystoneSide, endpoint: string): Promise<void> {
  const service = await side.call('POST', '/services', { service: { type: 'instance-ha', name: 'mainstay' } })
  const serviceId = idOf(service, 'service')
  for (const kind of ['public', 'internal', 'admin']) {
    await side.call('POST', '/endpoints', {
      endpoint: { service_id: serviceId, interface: kind, url: endpoint, region_id: 'RegionOne' },
    })
  }
  const project = idOf(
    await side.call('POST', '/projects', { project: { name: 'demo', domain_id: 'default' } }),
    'project',
  )
  const user = idOf(
    await side.call('POST', '/users', { user: { name: 'demo', domain_id: 'default', password: 'demo' } }),
    'user',
  )
  const roles = await side.call('GET', '/roles?name=member')
  const listed = isJsonObject(roles) && Array.isArray(roles['roles']) ? (roles['roles'] as readonly Json[]) : []
  const member = listed.map((role) => (isJsonObject(role) ? role['id'] : '')).at(0)
  await side.call('PUT', `/projects/${project}/users/${user}/roles/${typeof member === 'string' ? member : ''}`)
}

export function idOf(body: Json, member: string): string {
  const record = isJsonObject(body) ? body[member] : undefined
  const id = isJsonObject(record) ? record['id'] : undefined
  if (typeof id !== 'string') throw new Error(`Keystone's answer has no ${member} with an id.`)
  return id
}
