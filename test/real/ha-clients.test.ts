import { fileURLToPath } from 'node:url'

import { afterAll, beforeAll, describe, expect, test, type TestContext } from 'vitest'
import { Cluster, skipReason } from '@mainstay/testkit'

import { SystemClock } from '../../packages/mainstay/src/core/clock.ts'
import { isJsonObject, parseJson, type Json } from '../../packages/mainstay/src/core/json.ts'
import { createVmoves } from '../../packages/mainstay/src/ha/index.ts'
import { startHa, type RunningHa } from '../../packages/mainstay/src/ha/testing/start-ha.ts'
import { needThat } from '../support/need.ts'
import { ADMIN_PASSWORD, furnish, idOf, keystoneSide, startKeystone, type KeystoneSide } from './support/keystone-ha.ts'
import { needPythonModules, PythonSession } from './support/python-session.ts'

/** The real clients, as Debian has them, against a real Mainstay: without authentication and with a real Keystone. */

const FIXTURES = new URL('./fixtures/', import.meta.url)
const NOBODY = '99999999-9999-4999-8999-999999999999'
const CLI_PACKAGES = 'python3-openstackclient python3-masakariclient'
const SDK_PACKAGES = 'python3-openstacksdk'

interface Outcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** One way to be let in. */
interface Way {
  readonly name: string
  readonly set: (clock: SystemClock) => Promise<Entrance>
}

interface Entrance extends AsyncDisposable {
  readonly ha: RunningHa
  readonly cli: readonly string[]
  readonly sdk: Readonly<Record<string, unknown>>
}

const NOAUTH: Way = {
  name: 'without authentication',
  set: async (clock) => {
    const ha = await startHa({ clock })
    const endpoint = `http://127.0.0.1:${ha.port}/v1`
    return {
      ha,
      cli: ['--os-auth-type', 'none', '--os-endpoint', endpoint],
      sdk: { auth_type: 'none', auth: { endpoint } },
      [Symbol.asyncDispose]: async () => await ha[Symbol.asyncDispose](),
    }
  },
}

const KEYSTONE: Way = {
  name: 'with Keystone',
  set: async (clock) => {
    await using stack = new AsyncDisposableStack()
    const cluster = await Cluster.create({ name: 'keystone' })
    stack.defer(async () => void (await cluster.dispose()))
    const keystone = await startKeystone(cluster)
    const side = stack.use(keystoneSide(keystone, clock))
    const ha = stack.use(await letIn(side, clock))
    await furnish(side, `http://127.0.0.1:${ha.port}/v1`)
    const auth = {
      auth_url: `${keystone.url}/v3`,
      username: 'admin',
      password: ADMIN_PASSWORD,
      project_name: 'admin',
      user_domain_name: 'Default',
      project_domain_name: 'Default',
    }
    const kept = stack.move()
    return {
      ha,
      cli: [
        ...Object.entries(auth).flatMap(([name, value]) => [`--os-${name.replaceAll('_', '-')}`, value]),
        '--os-region-name',
        'RegionOne',
        '--os-identity-api-version',
        '3',
      ],
      sdk: { auth, region_name: 'RegionOne' },
      [Symbol.asyncDispose]: async () => await kept.disposeAsync(),
    }
  },
}

async function letIn(side: KeystoneSide, clock: SystemClock): Promise<RunningHa> {
  return await startHa({
    clock,
    deps: {
      authenticate: side.authenticate,
      authorize: (rule, context) => side.policy.authorize(rule, context),
    },
  })
}

describe.each([NOAUTH, KEYSTONE])('real clients $name', (way) => {
  const clock = new SystemClock()
  let entrance: Entrance
  let cli: PythonSession
  let sdk: PythonSession
  let reason: string | undefined

  beforeAll(async () => {
    reason = way === KEYSTONE ? await skipReason('keystone') : undefined
    if (reason !== undefined) return
    entrance = await way.set(clock)
    cli = new PythonSession(fileURLToPath(new URL('openstack_session.py', FIXTURES)))
    sdk = new PythonSession(fileURLToPath(new URL('sdk_session.py', FIXTURES)))
    sdk.tell(entrance.sdk)
  }, 240_000)

  afterAll(async () => {
    await cli?.[Symbol.asyncDispose]()
    await sdk?.[Symbol.asyncDispose]()
    await entrance?.[Symbol.asyncDispose]()
  })

  async function needCli(ctx: TestContext): Promise<void> {
    needThat(ctx, reason === undefined, reason ?? '')
    await needPythonModules(ctx, ['openstackclient', 'masakariclient'], CLI_PACKAGES)
  }

  async function openstack(...args: string[]): Promise<Outcome> {
    return (await cli.ask([...entrance.cli, ...args])) as unknown as Outcome
  }

  /** Runs a command that must succeed. */
  async function done(...args: string[]): Promise<Json> {
    const outcome = await openstack(...args, '-f', 'json')
    expect(outcome, `openstack ${args.join(' ')}`).toMatchObject({ code: 0 })
    return parseJson(outcome.stdout, `the output of openstack ${args.join(' ')}`)
  }

  async function refused(message: RegExp, ...args: string[]): Promise<void> {
    const outcome = await openstack(...args)
    expect(outcome.code, `openstack ${args.join(' ')}`).not.toBe(0)
    expect(outcome.stderr + outcome.stdout).toMatch(message)
  }

  async function instanceHa(method: string, args: unknown[] = [], options: object = {}): Promise<Record<string, Json>> {
    return (await sdk.ask([method, args, options])) as Record<string, Json>
  }

  test('openstack segment: create, list, show, update, delete', async (ctx) => {
    await needCli(ctx)
    const created = await done('segment', 'create', 's1', 'auto', 'COMPUTE', '--description', 'first')
    expect(created).toMatchObject({ name: 's1', recovery_method: 'auto', description: 'first', is_enabled: true })
    await done('segment', 'create', 's2', 'reserved_host', 'COMPUTE', '--is_enabled', 'false')
    await done('segment', 'create', 's3', 'rh_priority', 'CONTROL')
    const names = async (...args: string[]): Promise<unknown> =>
      ((await done('segment', 'list', ...args)) as { name: string }[]).map(({ name }) => name)
    expect(await names()).toEqual(['s3', 's2', 's1'])
    expect(await names('--limit', '1')).toContain('s3')
    expect(await names('--limit', '0')).toEqual([])
    expect(await names('--sort', 'name:asc')).toEqual(['s1', 's2', 's3'])
    expect(await names('--filters', 'recovery_method=auto')).toEqual(['s1'])
    expect(await names('--marker', '2')).toEqual(['s1'])
    expect(await done('segment', 'show', 's2')).toMatchObject({ name: 's2', is_enabled: false })
    const { uuid } = created as { uuid: string }
    const updated = await done('segment', 'update', uuid, '--description', 'changed', '--is_enabled', 'False')
    expect(updated).toMatchObject({ description: 'changed', is_enabled: false })
    expect(await done('segment', 'update', uuid, '--name', 's1b', '--is_enabled', 'True')).toMatchObject({
      name: 's1b',
    })
    await refused(/409|already exists/i, 'segment', 'create', 's2', 'auto', 'COMPUTE')
    await refused(/400|recovery_method/i, 'segment', 'create', 's9', 'magic', 'COMPUTE')
    await refused(/not found|No Segment found|404/i, 'segment', 'show', NOBODY)
    await refused(/not found|No Segment found|404/i, 'segment', 'show', 'nobody')
    expect((await openstack('segment', 'delete', 's3')).code).toBe(0)
    expect(await names()).toEqual(['s2', 's1b'])
  })

  test('openstack segment host: create, list, show, update, delete', async (ctx) => {
    await needCli(ctx)
    const { uuid } = (await done('segment', 'create', 'hosts', 'auto', 'COMPUTE')) as { uuid: string }
    const created = await done('segment', 'host', 'create', 'compute1', 'COMPUTE', 'SSH', uuid)
    expect(created).toMatchObject({ name: 'compute1', type: 'COMPUTE', reserved: false, failover_segment_id: uuid })
    await done('segment', 'host', 'create', 'compute2', 'COMPUTE', 'SSH', 'hosts', '--reserved', 'True')
    const names = async (...args: string[]): Promise<unknown> =>
      ((await done('segment', 'host', 'list', uuid, ...args)) as { name: string }[]).map(({ name }) => name)
    expect(await names()).toEqual(['compute2', 'compute1'])
    expect(await names('--filters', 'reserved=true')).toEqual(['compute2'])
    expect(await done('segment', 'host', 'show', uuid, 'compute1')).toMatchObject({ name: 'compute1' })
    const changed = await done(
      'segment',
      'host',
      'update',
      uuid,
      'compute1',
      '--on_maintenance',
      'True',
      '--reserved',
      'True',
    )
    expect(changed).toMatchObject({ on_maintenance: true, reserved: true })
    expect(await done('segment', 'host', 'update', uuid, 'compute1', '--on_maintenance', 'False')).toMatchObject({
      on_maintenance: false,
    })
    await refused(/409|already exists/i, 'segment', 'host', 'create', 'compute2', 'COMPUTE', 'SSH', uuid)
    await refused(/400|could not be found/i, 'segment', 'host', 'create', 'unknown1', 'COMPUTE', 'SSH', uuid)
    await refused(/not found|No Host found|404/i, 'segment', 'host', 'show', uuid, 'nobody')
    expect((await openstack('segment', 'host', 'delete', uuid, 'compute2')).code).toBe(0)
    expect(await names()).toEqual(['compute1'])
  })

  test('openstack notification: create, list, show', async (ctx) => {
    await needCli(ctx)
    const { uuid } = (await done('segment', 'create', 'notes', 'auto', 'COMPUTE')) as { uuid: string }
    await done('segment', 'host', 'create', 'compute9', 'COMPUTE', 'SSH', uuid)
    const report = (payload: string, type = 'COMPUTE_HOST'): string[] => [
      'notification',
      'create',
      type,
      'compute9',
      '2026-01-01T10:00:00',
      payload,
    ]
    const created = await done(...report('{"event": "STOPPED", "host_status": "NORMAL", "cluster_status": "OFFLINE"}'))
    expect(created).toMatchObject({ type: 'COMPUTE_HOST', status: 'new' })
    await refused(
      /409|already|same payload/i,
      ...report('{"event": "STOPPED", "host_status": "NORMAL", "cluster_status": "OFFLINE"}'),
    )
    await refused(/400|event/i, ...report('{"event": "EXPLODED"}'))
    await done(...report('{"event": "STOPPED", "process_name": "nova-compute"}', 'PROCESS'))
    const { notification_uuid: id } = created as { notification_uuid: string }
    const shown = await done('notification', 'show', id)
    expect(shown).toMatchObject({ notification_uuid: id, status: 'new', recovery_workflow_details: expect.anything() })
    const listed = (await done('notification', 'list')) as { notification_uuid: string }[]
    expect(listed).toHaveLength(2)
    expect(await done('notification', 'list', '--filters', 'type=PROCESS')).toHaveLength(1)
    expect(await done('notification', 'list', '--limit', '0')).toEqual([])
    await refused(/not found|404/i, 'notification', 'show', NOBODY)
    const undeleted = await openstack('segment', 'delete', uuid)
    expect(undeleted.stdout + undeleted.stderr).toMatch(/409|recovery/i)
    expect(await done('segment', 'show', 'notes')).toMatchObject({ uuid })
    await refused(/409|recovery/i, 'segment', 'host', 'update', uuid, 'compute9', '--reserved', 'True')
  })

  test('openstacksdk conn.instance_ha: every method', async (ctx) => {
    needThat(ctx, reason === undefined, reason ?? '')
    await needPythonModules(ctx, ['openstack'], SDK_PACKAGES)
    const created = await instanceHa('create_segment', [], {
      name: 'sdk',
      recovery_method: 'auto',
      service_type: 'COMPUTE',
    })
    const uuid = member(created, 'uuid')
    expect(await instanceHa('get_segment', [uuid])).toMatchObject({ value: { name: 'sdk' } })
    expect(await instanceHa('update_segment', [uuid], { description: 'x' })).toMatchObject({
      value: { description: 'x' },
    })
    const host = await instanceHa('create_host', [uuid], { name: 'sdk1', type: 'COMPUTE', control_attributes: 'SSH' })
    const hostId = member(host, 'uuid')
    expect(await instanceHa('get_host', [hostId, uuid])).toMatchObject({ value: { name: 'sdk1' } })
    expect(await instanceHa('update_host', [hostId, uuid], { reserved: true })).toMatchObject({
      value: { reserved: true },
    })
    expect(await instanceHa('hosts', [uuid])).toMatchObject({ value: [{ name: 'sdk1' }] })
    const note = await instanceHa('create_notification', [], {
      type: 'VM',
      hostname: 'sdk1',
      generated_time: '2026-01-01T10:00:00Z',
      payload: { instance_uuid: NOBODY, event: 'LIFECYCLE', vir_domain_event: 'STOPPED_FAILED' },
    })
    const noteId = member(note, 'notification_uuid')
    expect(await instanceHa('get_notification', [noteId])).toMatchObject({ value: { status: 'new' } })
    expect(await instanceHa('notifications', [], { type: 'VM' })).toMatchObject({
      value: [{ notification_uuid: noteId }],
    })
    expect(await instanceHa('delete_segment', [uuid])).toMatchObject({ error: 'ConflictException' })
    expect(await instanceHa('get_segment', [NOBODY])).toMatchObject({ error: 'ResourceNotFound' })
    const { value: pages } = (await instanceHa('segments', [], { limit: 1 })) as { value?: { uuid: string }[] }
    const { value: whole } = (await instanceHa('segments')) as { value?: { uuid: string }[] }
    expect(
      pages?.map((segment) => segment.uuid),
      'page by page',
    ).toEqual(whole?.map((segment) => segment.uuid))
    expect(pages?.length).toBeGreaterThan(0)
    const free = member(
      await instanceHa('create_segment', [], { name: 'free', recovery_method: 'auto', service_type: 'x' }),
      'uuid',
    )
    const freeHost = member(
      await instanceHa('create_host', [free], { name: 'sdk2', type: 'x', control_attributes: 'x' }),
      'uuid',
    )
    expect(await instanceHa('delete_host', [freeHost, free])).not.toHaveProperty('error')
    expect(await instanceHa('delete_segment', [free])).not.toHaveProperty('error')
  })

  test('openstack notification vmove: list, show', async (ctx) => {
    await needCli(ctx)
    const known = await openstack('notification', 'vmove', 'list', '--help')
    ctx.skip(
      !known.stdout.includes('usage: openstack notification vmove list'),
      'the installed python-masakariclient has no "notification vmove" (it came with 8.1)',
    )
    const { uuid } = (await done('segment', 'create', 'moves', 'auto', 'COMPUTE')) as { uuid: string }
    await done('segment', 'host', 'create', 'compute8', 'COMPUTE', 'SSH', uuid)
    const note = await done(
      'notification',
      'create',
      'COMPUTE_HOST',
      'compute8',
      '2026-01-01T10:00:00',
      '{"event": "STOPPED"}',
    )
    const { notification_uuid: notificationUuid } = note as { notification_uuid: string }
    await entrance.ha.store.write(async (queries) => {
      const move = { uuid: NOBODY, notificationUuid, instanceUuid: NOBODY, instanceName: 'vm', sourceHost: 'compute8' }
      await createVmoves(queries, [move], clock.now())
    })
    expect(await done('notification', 'vmove', 'list', notificationUuid)).toHaveLength(1)
    expect(await done('notification', 'vmove', 'show', notificationUuid, NOBODY)).toMatchObject({ status: 'pending' })
  })
})

function member(answer: Record<string, Json>, name: string): string {
  const value = isJsonObject(answer['value']) ? answer['value'][name] : undefined
  if (typeof value !== 'string') throw new Error(`no ${name} in ${JSON.stringify(answer)}`)
  return value
}

test('Keystone: an application credential serves too, a revoked token and a member are told apart', async (ctx) => {
  const reason = await skipReason('keystone')
  needThat(ctx, reason === undefined, reason ?? '')
  const clock = new SystemClock()
  await using cluster = await Cluster.create({ name: 'keystone-application' })
  const keystone = await startKeystone(cluster)
  using side = keystoneSide(keystone, clock)
  const users = (await side.call('GET', '/users?name=admin')) as { users: { id: string }[] }
  const credential = await side.call('POST', `/users/${users.users[0]!.id}/application_credentials`, {
    application_credential: { name: 'mainstay', secret: 'app-secret' },
  })
  const id = idOf(credential, 'application_credential')
  using byCredential = keystoneSide(keystone, clock, { kind: 'application-credential', id, secret: 'app-secret' })
  await using ha = await letIn(byCredential, clock)
  await furnish(side, `http://127.0.0.1:${ha.port}/v1`)

  const admin = await tokenOf(keystone.url, 'admin', ADMIN_PASSWORD, 'admin')
  const demo = await tokenOf(keystone.url, 'demo', 'demo', 'demo')
  const ask = async (token: string | undefined): Promise<number> =>
    (await ha.send('GET', '/v1/segments', { headers: token === undefined ? {} : { 'X-Auth-Token': token } })).status
  expect(await ask(admin)).toBe(200)
  expect(await ask(demo)).toBe(403)
  expect(await ask('nonsense')).toBe(401)
  expect(await ask(undefined)).toBe(401)
  const refused = await ha.send('GET', '/v1/segments')
  expect(refused.headers['www-authenticate']).toBe(`Keystone uri="${keystone.url}/v3"`)
  const fresh = await tokenOf(keystone.url, 'admin', ADMIN_PASSWORD, 'admin')
  await keystone.stop()
  expect(await ask(admin), 'remembered').toBe(200)
  expect(await ask(fresh), 'never seen').toBe(503)
}, 240_000)

async function tokenOf(url: string, name: string, password: string, project: string): Promise<string> {
  const domain = { name: 'Default' }
  const response = await fetch(`${url}/v3/auth/tokens`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({
      auth: {
        identity: { methods: ['password'], password: { user: { name, domain, password } } },
        scope: { project: { name: project, domain } },
      },
    }),
  })
  const token = response.headers.get('x-subject-token')
  if (token === null) throw new Error(`no token for ${name}: ${response.status}`)
  return token
}
