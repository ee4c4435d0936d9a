import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { ManualClock } from '../../core/clock.ts'
import { requestContext } from '../../core/context.ts'
import { silentLogger } from '../../core/logging.ts'
import { UnauthorizedError } from '../../http/errors.ts'
import { Policy } from '../../http/policy/policy.ts'
import { defaultRules } from '../policies.ts'
import { insertHost } from '../store/hosts.ts'
import { insertNotification } from '../store/notifications.ts'
import { insertSegment } from '../store/segments.ts'
import { createVmoves } from '../store/vmoves.ts'
import { startHa, type RunningHa } from '../testing/start-ha.ts'
import { ACTIONS } from './actions.ts'
import { RESOURCES, type Resource, type Verb } from './route.ts'

/** Every route, by every role, with a request that is right, wrong, or about something that is not there. */

const ROLES = ['nobody', 'member', 'reader', 'operator', 'admin'] as const
type Role = (typeof ROLES)[number]

interface Ids {
  readonly segment: string
  readonly host: string
  readonly notification: string
  readonly vmove: string
}

const NOWHERE = '00000000-0000-4000-8000-000000000000'
const MISSING: Ids = { segment: NOWHERE, host: NOWHERE, notification: NOWHERE, vmove: NOWHERE }

const COLLECTION_PATHS: Readonly<Record<Resource, (ids: Ids) => string>> = {
  versions: () => '/v1/',
  extensions: () => '/v1/extensions',
  segments: () => '/v1/segments',
  hosts: ({ segment }) => `/v1/segments/${segment}/hosts`,
  notifications: () => '/v1/notifications',
  vmoves: ({ notification }) => `/v1/notifications/${notification}/vmoves`,
}

const MEMBERS: Readonly<Record<Resource, (ids: Ids) => string>> = {
  versions: () => '',
  extensions: ({ segment }) => (segment === NOWHERE ? '/nothing' : '/segments'),
  segments: ({ segment }) => `/${segment}`,
  hosts: ({ host }) => `/${host}`,
  notifications: ({ notification }) => `/${notification}`,
  vmoves: ({ vmove }) => `/${vmove}`,
}

const METHODS: Readonly<Record<Verb, string>> = {
  index: 'GET',
  create: 'POST',
  show: 'GET',
  update: 'PUT',
  delete: 'DELETE',
}

const ROUTES = RESOURCES.flatMap((resource) =>
  (Object.keys(ACTIONS[resource]) as Verb[]).map((verb) => ({ resource, verb, action: ACTIONS[resource][verb]! })),
)

let ha: RunningHa
let policy: Policy
let made = 0

beforeAll(async () => {
  const clock = new ManualClock()
  policy = new Policy({ clock, logger: silentLogger(), defaults: defaultRules('reader-operator') })
  ha = await startHa({
    clock,
    deps: {
      authenticate: async ({ headers, requestId, timestampMs }) => {
        const role = headers['x-auth-token']
        if (typeof role !== 'string') throw new UnauthorizedError('Who are you?', { challenge: 'Keystone uri="x"' })
        return requestContext({ requestId, timestampMs, userId: 'u', roles: [role], isAdmin: role === 'admin' })
      },
      authorize: (rule, context) => policy.authorize(rule, context),
    },
  })
})

afterAll(async () => {
  await ha[Symbol.asyncDispose]()
})

/** A segment with a host, a notification that is done with, and a move. */
async function makeThings(): Promise<Ids> {
  made += 1
  const id = (kind: string): string => `${kind}0000000-0000-4000-8000-${String(made).padStart(12, '0')}`
  const ids = { segment: id('a'), host: id('b'), notification: id('c'), vmove: id('d') }
  await ha.store.write(async (queries) => {
    await insertSegment(
      queries,
      {
        uuid: ids.segment,
        name: `segment ${made}`,
        serviceType: 'COMPUTE',
        recoveryMethod: 'auto',
        description: null,
        enabled: true,
      },
      0,
    )
    await insertHost(
      queries,
      {
        uuid: ids.host,
        name: `host-${made}`,
        segmentUuid: ids.segment,
        type: 'COMPUTE',
        controlAttributes: 'SSH',
        reserved: false,
        onMaintenance: false,
      },
      0,
    )
    await insertNotification(
      queries,
      {
        uuid: ids.notification,
        generatedTime: 0,
        sourceHostUuid: ids.host,
        type: 'COMPUTE_HOST',
        payload: { event: 'STARTED' },
        segmentUuid: ids.segment,
        idempotencyKey: null,
      },
      0,
    )
    await queries
      .updateTable('notifications')
      .set({ status: 'finished' })
      .where('notification_uuid', '=', ids.notification)
      .execute()
    await createVmoves(
      queries,
      [
        {
          uuid: ids.vmove,
          notificationUuid: ids.notification,
          instanceUuid: NOWHERE,
          instanceName: 'vm',
          sourceHost: `host-${made}`,
        },
      ],
      0,
    )
  })
  return ids
}

function validBody(resource: Resource, verb: Verb): object | undefined {
  const unique = `new-${made}`
  if (verb !== 'create' && verb !== 'update') return undefined
  if (resource === 'segments') {
    return { segment: { name: unique, ...(verb === 'create' ? { recovery_method: 'auto', service_type: 'X' } : {}) } }
  }
  if (resource === 'hosts') {
    return { host: { name: unique, ...(verb === 'create' ? { type: 'X', control_attributes: 'SSH' } : {}) } }
  }
  return {
    notification: {
      type: 'PROCESS',
      hostname: `host-${made}`,
      generated_time: '2026-01-01T00:00:00',
      payload: { event: 'STOPPED', process_name: unique },
    },
  }
}

async function ask(role: Role, method: string, path: string, body: unknown): Promise<number> {
  const headers = role === 'nobody' ? {} : { 'X-Auth-Token': role }
  return (await ha.send(method, path, { headers, ...(body === undefined ? {} : { body }) })).status
}

async function mayDo(role: Role, rule: string): Promise<boolean> {
  return await policy.authorize(
    rule,
    requestContext({ requestId: '', timestampMs: 0, roles: [role], isAdmin: role === 'admin' }),
  )
}

function pathOf(resource: Resource, verb: Verb, ids: Ids): string {
  const collection = COLLECTION_PATHS[resource](ids)
  return verb === 'index' || verb === 'create' ? collection : collection + MEMBERS[resource](ids)
}

const CASES = ROUTES.flatMap((route) => ROLES.map((role) => ({ ...route, role })))

function isAboutSomething({ resource, verb }: { resource: Resource; verb: Verb }): boolean {
  if (resource === 'versions') return false
  return ['show', 'update', 'delete'].includes(verb) || resource === 'hosts' || resource === 'vmoves'
}

describe('every route by every role (ha-api 4.3, 5.1)', () => {
  test.each(CASES)('$role may or may not $verb $resource', async ({ resource, verb, action, role }) => {
    const ids = await makeThings()
    const status = await ask(role, METHODS[verb], pathOf(resource, verb, ids), validBody(resource, verb))
    const expected = role === 'nobody' ? 401 : (await mayDo(role, action.policy)) ? action.successStatus : 403
    expect(status).toBe(expected)
  })

  test.each(CASES.filter(({ action }) => action.schema !== undefined))(
    '$role cannot $verb $resource with a body that the schema refuses',
    async ({ resource, verb, role }) => {
      const ids = await makeThings()
      for (const body of [null, [], {}, { segment: {} }, { [resource.slice(0, -1)]: { name: 5, unknown: true } }]) {
        const status = await ask(role, METHODS[verb], pathOf(resource, verb, ids), body)
        expect(status).toBe(role === 'nobody' ? 401 : 400)
      }
    },
  )

  test.each(CASES.filter(isAboutSomething))(
    '$role cannot $verb $resource of something that is not there',
    async ({ resource, verb, action, role }) => {
      await makeThings()
      const status = await ask(role, METHODS[verb], pathOf(resource, verb, MISSING), validBody(resource, verb))
      const expected = role === 'nobody' ? 401 : (await mayDo(role, action.policy)) ? 404 : 403
      expect(status).toBe(expected)
    },
  )
})
