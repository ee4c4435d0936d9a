import { describe, expect, test } from 'vitest'

import { toJson, type JsonObject } from '../../core/json.ts'
import { readNotification, UnreadableNotificationError } from './oslo-notification.ts'
import { stableId, uuidV5 } from './stable-id.ts'
import { body, notification, type NotificationMembers } from './testing/notification.ts'
import { notificationToStreamEvent } from './to-stream-event.ts'

const NOW = Date.UTC(2026, 10, 21, 12)
const ARRIVAL = { nowMs: NOW, fallbackId: 'digest' }

function map(members: NotificationMembers): ReturnType<typeof notificationToStreamEvent> {
  return notificationToStreamEvent(readNotification(body(members)), ARRIVAL)
}

describe('a notification becomes an event (R2)', () => {
  test('R2 with everything that the notification says', () => {
    expect(map({ _context_request_id: 'req-1', _context_project_id: 'p-1', _context_auth_token: 'gAAAA' })).toEqual({
      id: '0a3b4c1e-7d0f-4b83-9a53-66b6b1a1c001',
      timestamp: '2026-11-21T12:00:00.000Z',
      event_type: 'baremetal.node.power_set.end',
      source: 'openstack',
      node_name: 'node-1',
      data: {
        'ironic_object.data': { name: 'node-1', uuid: 'u-1', power_state: 'power on' },
        service_type: 'baremetal',
        resource_id: 'u-1',
      },
      service_type: 'baremetal',
      canonical_service: 'ironic',
      resource_id: 'u-1',
      severity: 'info',
      occurred_at: '2026-11-21T09:10:11.123Z',
      publisher_id: 'ironic-conductor.node-1',
      source_event_id: '0a3b4c1e-7d0f-4b83-9a53-66b6b1a1c001',
      project_id: 'p-1',
      correlation_id: 'req-1',
    })
  })

  test('R2 without what is missing', () => {
    const bare = notificationToStreamEvent(readNotification(toJson({ event_type: 'a.b' })), ARRIVAL)
    expect(bare).toMatchObject({
      id: stableId('digest'),
      node_name: null,
      resource_id: null,
      data: { service_type: 'a', resource_id: null },
      canonical_service: 'a',
      severity: 'info',
      occurred_at: '2026-11-21T12:00:00.000Z',
      publisher_id: null,
      source_event_id: 'digest',
      project_id: null,
      correlation_id: null,
    })
  })

  test('R2 an id that is no UUID becomes one that is always the same', () => {
    // The example of RFC 9562, A.4.
    expect(uuidV5('6ba7b810-9dad-11d1-80b4-00c04fd430c8', 'www.example.com')).toBe(
      '2ed6657d-e927-568b-95e1-2665a8aea6a2',
    )
    expect(map({ message_id: 'm-1' }).id).toBe(stableId('m-1'))
    expect(stableId('m-1')).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    expect(stableId('m-2')).not.toBe(stableId('m-1'))
    expect(stableId('0A3B4C1E-7D0F-4B83-9A53-66B6B1A1C001')).toBe('0a3b4c1e-7d0f-4b83-9a53-66b6b1a1c001')
  })

  test.each([
    ['SAMPLE', 'a.b', 'debug'],
    ['DEBUG', 'a.b', 'debug'],
    ['AUDIT', 'a.b', 'info'],
    ['INFO', 'a.b', 'info'],
    ['info', 'a.b.error', 'error'],
    ['WARN', 'a.b', 'warning'],
    ['WARN', 'a.error', 'error'],
    ['ERROR', 'a.b', 'error'],
    ['CRITICAL', 'a.b.error', 'critical'],
    ['CRITICAL', 'a.b', 'critical'],
    ['whatever', 'a.errors', 'info'],
    [null, 'a.b', 'info'],
  ])('R16 priority %s of %s is %s', (priority, eventType, severity) => {
    expect(map({ priority, event_type: eventType }).severity).toBe(severity)
  })

  test('R16 without a priority the routing key says it', () => {
    const read = readNotification(body({ priority: null }))
    expect(notificationToStreamEvent(read, { ...ARRIVAL, priority: 'warn' }).severity).toBe('warning')
  })
})

describe('where services put names (event-stream 8.6)', () => {
  const NOVA = 'nova_object.data'
  const MASAKARI = 'masakari_object.data'

  test.each<[string, JsonObject, string, string | null, string | null]>([
    ['instance.create.end', { [NOVA]: { host: 'c-1', display_name: 'vm', uuid: 'u' } }, 'nova', 'c-1', 'u'],
    ['instance.create.start', { [NOVA]: { host: null, display_name: 'vm', uuid: 'u' } }, 'nova', 'vm', 'u'],
    ['aggregate.create.end', { [NOVA]: { name: 'fast', uuid: 'u' } }, 'nova', 'fast', 'u'],
    ['service.update', { [NOVA]: { host: 'c-2', uuid: 'u' } }, 'nova', 'c-2', 'u'],
    ['volume.usage', { [NOVA]: { uuid: 'u' } }, 'nova', null, 'u'],
    ['compute.instance.create.end', { host: 'c-1', display_name: 'vm', instance_id: 'i' }, 'nova', 'c-1', 'i'],
    ['compute.instance.create.start', { host: null, display_name: 'vm', instance_id: 'i' }, 'nova', 'vm', 'i'],
    ['compute.instance.update', { [NOVA]: { name: 'vm' }, instance_id: 'i' }, 'nova', 'vm', null],
    ['port.create.end', { port: { name: '', device_id: 'd', id: 'p' } }, 'neutron', 'd', 'p'],
    ['port.create.end', { port: { 'binding:host_id': 'c-1', id: 'p' } }, 'neutron', 'c-1', 'p'],
    ['network.create.end', { network: { name: 'public', id: 'n' } }, 'neutron', 'public', 'n'],
    ['router.delete.end', { router_id: 'r' }, 'neutron', null, 'r'],
    ['subnet.update.start', { subnet: { name: 's' }, id: 's-1' }, 'neutron', 's', 's-1'],
    ['volume.create.end', { display_name: 'disk', host: 'c@lvm', volume_id: 'v' }, 'cinder', 'disk', 'v'],
    ['volume.attach.end', { display_name: '', host: 'c@lvm', volume_id: 'v' }, 'cinder', 'c@lvm', 'v'],
    ['snapshot.create.end', { display_name: 'snap', volume_id: 'v', snapshot_id: 's' }, 'cinder', 'snap', 's'],
    ['backup.create.end', { display_name: 'b', volume_id: 'v', backup_id: 'b-1' }, 'cinder', 'b', 'b-1'],
    ['image.upload', { id: 'i', name: 'linux', status: 'active' }, 'glance', 'linux', 'i'],
    ['identity.project.created', { resource_info: 'p' }, 'keystone', null, 'p'],
    ['identity.user.created', { target: { id: 'u', name: 'ada' }, resource_info: 'x' }, 'keystone', 'ada', 'u'],
    ['identity.authenticate', { target: 'nothing', initiator: {} }, 'keystone', null, null],
    ['host.create.end', { [MASAKARI]: { name: 'c-1', uuid: 'h' } }, 'masakari', 'c-1', 'h'],
    ['notification.create.end', { [MASAKARI]: { hostname: 'c-1', notification_uuid: 'n' } }, 'masakari', 'c-1', 'n'],
    ['segment.delete.end', { [MASAKARI]: 'broken' }, 'masakari', null, null],
    ['baremetal.node.create.end', { 'ironic_object.data': null }, 'ironic', null, null],
    ['baremetal.node.create.end', { 'ironic_object.data': { name: 7, uuid: {} } }, 'ironic', '7', null],
    ['strange.thing', { name: 'x', id: 'y' }, 'strange', null, null],
    ['', { name: 'x' }, 'unknown', null, null],
  ])('%s %j is of %s, about node %j and resource %j', (eventType, payload, service, node, resource) => {
    expect(map({ event_type: eventType, payload, publisher_id: null })).toMatchObject({
      canonical_service: service,
      node_name: node,
      resource_id: resource,
    })
  })

  test.each([
    ['compute.host-1', 'nova'],
    ['nova-compute:host-1', 'nova'],
    ['network.host-1', 'neutron'],
    ['snapshot.host@lvm', 'cinder'],
    ['masakari-engine:host', 'masakari'],
    ['somebody', 'strange'],
  ])('the publisher %s tells of %s where the type does not', (publisher_id, service) => {
    expect(map({ event_type: 'strange.thing', payload: {}, publisher_id }).canonical_service).toBe(service)
  })
})

describe('whose event it is (R31)', () => {
  test.each<[string, NotificationMembers, string | null]>([
    ['the instance’s', { event_type: 'instance.create.end', payload: { 'nova_object.data': { tenant_id: 't' } } }, 't'],
    ['the port’s', { event_type: 'port.create.end', payload: { port: { project_id: 'p' } } }, 'p'],
    ['the volume’s', { event_type: 'volume.create.end', payload: { tenant_id: 't' } }, 't'],
    ['the image’s owner’s', { event_type: 'image.create', payload: { owner: 'o' } }, 'o'],
    ['the request’s', { event_type: 'port.delete.end', payload: { port_id: 'x' } }, 'requester'],
    ['nobody’s', { event_type: 'identity.user.created', payload: { project_id: 'p' } }, null],
  ])('%s', (_whose, members, project) => {
    expect(map({ ...members, _context_tenant: 'requester' }).project_id).toBe(project)
  })

  test.each<[string, NotificationMembers, string]>([
    ['the context', { _context_request_id: 'req-1', payload: { request_id: 'req-2' } }, 'req-1'],
    ['a legacy payload', { payload: { request_id: 'req-2' } }, 'req-2'],
    ['a versioned payload', { payload: { 'nova_object.data': { request_id: 'req-3' } } }, 'req-3'],
    ['an audit record', { payload: { initiator: { request_id: 'req-4' } } }, 'req-4'],
  ])('the request is known from %s', (_where, members, request) => {
    expect(map(members).correlation_id).toBe(request)
  })
})

describe('what is on the wire (event-stream 8.3, 8.6)', () => {
  const expected = readNotification(body())

  test.each<[string, unknown]>([
    ['format 2.0 as bytes', body()],
    ['format 2.0 as text', body().toString()],
    ['format 2.0 taken apart', { 'oslo.version': '2.0', 'oslo.message': toJson(notification()) }],
    ['format 1.0 as bytes', Buffer.from(toJson(notification()))],
    ['format 1.0 taken apart', notification()],
  ])('%s is understood', (_what, wire) => {
    expect(readNotification(wire)).toEqual(expected)
  })

  test('nothing of the request’s context is kept but project and request', () => {
    const members = { _context_auth_token: 'gAAAA-secret', _context_roles: ['admin'], _unique_id: 'x' }
    const payload = { _context_auth_token: 'gAAAA-secret', a: 1 }
    const read = readNotification(body({ ...members, payload, _context_request_id: 'req-9' }))
    expect(toJson(read)).not.toContain('gAAAA-secret')
    expect(read).toMatchObject({ payload: { a: 1 }, requestId: 'req-9' })
  })

  test.each<[unknown, JsonObject]>([
    [null, {}],
    [[1, 2], { payload: [1, 2] }],
    ['text', { payload: 'text' }],
    [7, { payload: 7 }],
  ])('the payload %j is kept as %j', (payload, kept) => {
    expect(readNotification(body({ payload })).payload).toEqual(kept)
  })

  const deep = `${'{"a":'.repeat(200)}1${'}'.repeat(200)}`

  test.each<[string, unknown, string]>([
    ['no JSON', Buffer.from('not json'), 'not decodable'],
    ['nothing', Buffer.alloc(0), 'not decodable'],
    ['bytes of no text', Buffer.from([0xff, 0xfe, 0x00]), 'not decodable'],
    ['a list', '[]', 'not decodable'],
    ['an envelope around no JSON', toJson({ 'oslo.message': '{' }), 'not decodable'],
    ['an envelope around a text', toJson({ 'oslo.message': '"x"' }), 'not decodable'],
    ['something else altogether', toJson({ method: 'ping', args: {} }), 'not decodable'],
    ['something nested too deep', `{"event_type":"a.b","payload":${deep}}`, 'not decodable'],
    ['something too large', toJson(notification({ payload: { x: 'x'.repeat(1024 * 1024) } })), 'too large'],
    ['something too large taken apart', notification({ payload: { x: 'x'.repeat(1024 * 1024) } }), 'too large'],
  ])('%s is no notification', (_what, wire, reason) => {
    expect(() => readNotification(wire)).toThrow(UnreadableNotificationError)
    expect(() => readNotification(wire)).toThrow(expect.objectContaining({ reason }))
  })
})
