import { fileURLToPath } from 'node:url'

import { afterAll, beforeAll, beforeEach, describe, expect, test, vi, type TestContext } from 'vitest'
import { Cluster, skipReason } from '@mainstay/testkit'

import { runCommand } from '../../packages/mainstay/src/core/child-process.ts'
import { SystemClock } from '../../packages/mainstay/src/core/clock.ts'
import { toJson, type JsonObject } from '../../packages/mainstay/src/core/json.ts'
import { silentLogger } from '../../packages/mainstay/src/core/logging.ts'
import type { StreamEvent } from '../../packages/mainstay/src/events/stream-event.ts'
import { needThat } from '../support/need.ts'
import { PythonSession } from '../real/support/python-session.ts'
import { startListening, type Listening } from './support/listening.ts'

/** Notifications that the real oslo.messaging sends, on the topics that the services use by themselves. */

const FIXTURE = fileURLToPath(new URL('fixtures/oslo_notifier.py', import.meta.url))
const patience = { timeout: 60_000, interval: 50 }

let reason: string | undefined
let cluster: Cluster | undefined
let url: string
let oslo: PythonSession | undefined
let listening: Listening

beforeAll(async () => {
  reason = (await skipReason('rabbitmq')) ?? (await pythonReason())
  if (reason !== undefined) return
  cluster = await Cluster.create({ name: 'events-oslo' })
  const rabbit = cluster.component('rabbitmq')
  await rabbit.start()
  url = `rabbit://guest:guest@127.0.0.1:${rabbit.port}/`
  listening = startListening({ url, clock: new SystemClock(), logger: silentLogger(), discoveryIntervalMs: 100 })
  oslo = new PythonSession(FIXTURE, { OS_LOG_LEVEL: 'error' })
  oslo.tell({ url })
}, 120_000)

afterAll(async () => {
  await listening?.[Symbol.asyncDispose]()
  await oslo?.[Symbol.asyncDispose]()
  await cluster?.dispose()
})

beforeEach((ctx: TestContext) => {
  needThat(ctx, reason === undefined, reason ?? '')
})

async function pythonReason(): Promise<string | undefined> {
  const probe = runCommand(['/usr/bin/python3', '-c', 'import oslo_messaging'], { timeoutMs: 60_000 })
  const exitCode = await probe.then((result) => result.exitCode).catch(() => undefined)
  return exitCode === 0 ? undefined : 'oslo_messaging not found: apt-get install python3-oslo.messaging'
}

interface Notification {
  readonly exchange: string
  readonly topics: readonly string[]
  readonly driver?: string
  readonly priority?: string
  readonly publisher_id?: string
  readonly event_type: string
  readonly payload: JsonObject
}

const CONTEXT = { request_id: 'req-1', project_id: 'p-1', auth_token: 'gAAAA-secret', roles: ['admin'] }

async function send(notification: Notification): Promise<void> {
  const { driver = 'messagingv2', priority = 'info', publisher_id = 'someone:host-1' } = notification
  const answer = await oslo!.ask({ ...notification, driver, priority, publisher_id, context: CONTEXT })
  expect(answer).toEqual({ sent: notification.event_type })
}

/** The exchange is made by the first notification, which nobody can have bound a queue for. */
async function heard(notification: Notification): Promise<StreamEvent> {
  const bound = (): boolean =>
    listening.listener.discovery.available.some(
      ({ exchange, queue }) => exchange === notification.exchange && listening.listener.queues.includes(queue),
    )
  if (!bound()) await send({ ...notification, event_type: 'too.early' })
  await vi.waitUntil(bound, patience)
  await send(notification)
  return await vi.waitFor(async () => {
    const event = (await listening.events()).find(({ event_type: type }) => type === notification.event_type)
    expect(event).toBeDefined()
    return event!
  }, patience)
}

describe('notifications of the real oslo.messaging (event-stream 8.6)', () => {
  test.each<[Notification, Partial<StreamEvent>]>([
    [
      {
        exchange: 'nova',
        topics: ['versioned_notifications'],
        event_type: 'instance.create.end',
        payload: {
          'nova_object.data': { uuid: 'i-1', host: 'c-1', tenant_id: 't-1' },
          'nova_object.name': 'InstanceCreatePayload',
        },
      },
      { canonical_service: 'nova', service_type: 'instance', node_name: 'c-1', resource_id: 'i-1', project_id: 't-1' },
    ],
    [
      {
        exchange: 'nova',
        topics: ['notifications'],
        driver: 'messaging',
        priority: 'error',
        event_type: 'compute.instance.create.error',
        payload: { instance_id: 'i-2', host: 'c-2', display_name: 'vm', admin_password: 'hunter2' },
      },
      { canonical_service: 'nova', node_name: 'c-2', resource_id: 'i-2', severity: 'error' },
    ],
    [
      {
        exchange: 'ironic',
        topics: ['ironic_versioned_notifications'],
        event_type: 'baremetal.node.power_set.end',
        payload: { 'ironic_object.data': { uuid: 'n-1', name: 'node-1', power_state: 'power on' } },
      },
      { canonical_service: 'ironic', service_type: 'baremetal', node_name: 'node-1', resource_id: 'n-1' },
    ],
    [
      {
        exchange: 'neutron',
        topics: ['notifications'],
        event_type: 'port.create.end',
        payload: { port: { id: 'p-1', name: 'eth0', project_id: 't-2' } },
      },
      { canonical_service: 'neutron', node_name: 'eth0', resource_id: 'p-1', project_id: 't-2' },
    ],
    [
      {
        exchange: 'cinder',
        topics: ['notifications'],
        driver: 'messaging',
        priority: 'warn',
        event_type: 'snapshot.create.end',
        payload: { volume_id: 'v-1', snapshot_id: 's-1', display_name: 'snap' },
      },
      { canonical_service: 'cinder', node_name: 'snap', resource_id: 's-1', severity: 'warning' },
    ],
    [
      {
        exchange: 'openstack',
        topics: ['notifications'],
        event_type: 'backup.delete.end',
        payload: { backup_id: 'b-1', host: 'c-3' },
      },
      { canonical_service: 'cinder', node_name: 'c-3', resource_id: 'b-1' },
    ],
    [
      {
        exchange: 'glance',
        topics: ['notifications'],
        event_type: 'image.upload',
        payload: { id: 'img-1', name: 'linux' },
      },
      { canonical_service: 'glance', node_name: 'linux', resource_id: 'img-1' },
    ],
    [
      {
        exchange: 'keystone',
        topics: ['notifications'],
        event_type: 'identity.project.created',
        payload: { resource_info: 'pr-1' },
      },
      { canonical_service: 'keystone', resource_id: 'pr-1', project_id: null },
    ],
    [
      {
        exchange: 'masakari',
        topics: ['versioned_notifications'],
        priority: 'critical',
        event_type: 'host.update.end',
        payload: { 'masakari_object.data': { uuid: 'h-1', name: 'c-4' } },
      },
      {
        canonical_service: 'masakari',
        service_type: 'host',
        node_name: 'c-4',
        resource_id: 'h-1',
        severity: 'critical',
      },
    ],
  ])(
    'R2 R16 $event_type of $exchange',
    async (notification, expected) => {
      const event = await heard(notification)
      expect(event).toMatchObject({
        source: 'openstack',
        event_type: notification.event_type,
        publisher_id: 'someone:host-1',
        correlation_id: 'req-1',
        id: expect.stringMatching(/^[0-9a-f-]{36}$/),
        ...expected,
      })
      expect(event.source_event_id).toBe(event.id)
      const stored = toJson(event)
      for (const secret of ['gAAAA-secret', 'hunter2', '_context_']) expect(stored).not.toContain(secret)
    },
    120_000,
  )

  test.each(['debug', 'info', 'warn', 'error', 'critical', 'audit', 'sample'])(
    'R16 priority %s is heard',
    async (priority) => {
      const event = await heard({
        exchange: 'glance',
        topics: ['notifications'],
        priority,
        event_type: `image.${priority}`,
        payload: { id: priority },
      })
      expect(event.severity).toBe({ warn: 'warning', audit: 'info', sample: 'debug' }[priority] ?? priority)
    },
    120_000,
  )

  test('one notification on two topics is one event', async () => {
    const twice = { exchange: 'nova', topics: ['versioned_notifications', 'notifications'], payload: {} }
    await heard({ ...twice, event_type: 'service.twice' })
    await heard({ ...twice, event_type: 'service.after' })
    const types = (await listening.events()).map(({ event_type: type }) => type)
    expect(types.filter((type) => type === 'service.twice')).toHaveLength(1)
  }, 120_000)
})
