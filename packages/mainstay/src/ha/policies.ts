/** Every policy rule of the HA API with its default. Rules are registered here and nowhere else. Source: ha-api.md 4.3. */

const BASE: Readonly<Record<string, string>> = {
  context_is_admin: 'role:admin',
  admin_or_owner: 'is_admin:True or project_id:%(project_id)s',
  admin_api: 'is_admin:True',
}

const OPERATIONS: Readonly<Record<string, readonly string[]>> = {
  extensions: ['index', 'detail', 'discoverable'],
  segments: ['index', 'detail', 'create', 'update', 'delete', 'discoverable'],
  'os-hosts': ['index', 'detail', 'create', 'update', 'delete', 'discoverable'],
  notifications: ['index', 'detail', 'create', 'discoverable'],
  vmoves: ['index', 'detail', 'discoverable'],
}

const EVERYBODY: Readonly<Record<string, string>> = {
  'os_masakari_api:versions:index': '@',
  'os_masakari_api:versions:discoverable': '@',
}

/** What is not Masakari's: recoveries as they are, and what a person may do to one that runs or is held. */
const RECOVERIES: Readonly<Record<string, readonly string[]>> = {
  compatible: ['rule:admin_api', 'rule:admin_api'],
  'reader-operator': ['rule:admin_api or role:reader or role:operator', 'rule:admin_api or role:operator'],
}

const READING = ['index', 'detail', 'discoverable']

/** What a person on duty does; making and removing segments stays with admins. */
const OPERATING = new Set([
  'segments:update',
  'os-hosts:create',
  'os-hosts:update',
  'os-hosts:delete',
  'notifications:create',
])

/**
 * The default rules.
 *
 * @param roles `compatible` knows admins only, as Masakari does. `reader-operator` also lets the role `reader` read
 *   everything and the role `operator` work with hosts and notifications. Keystone gives `reader` to every member of a
 *   project unless that implied role is removed, so whoever switches this on should look at that first.
 */
export function defaultRules(roles: 'compatible' | 'reader-operator' = 'compatible'): Record<string, string> {
  const [read = '!', operate = '!'] = RECOVERIES[roles] ?? []
  const rules: Record<string, string> = {
    ...BASE,
    ...EVERYBODY,
    'mainstay:recoveries:read': read,
    'mainstay:recoveries:operate': operate,
  }
  for (const [resource, verbs] of Object.entries(OPERATIONS)) {
    for (const verb of verbs) rules[`os_masakari_api:${resource}:${verb}`] = ruleFor(resource, verb, roles)
  }
  return rules
}

function ruleFor(resource: string, verb: string, roles: 'compatible' | 'reader-operator'): string {
  if (roles === 'compatible') return 'rule:admin_api'
  if (READING.includes(verb)) return 'rule:admin_api or role:reader or role:operator'
  return OPERATING.has(`${resource}:${verb}`) ? 'rule:admin_api or role:operator' : 'rule:admin_api'
}
