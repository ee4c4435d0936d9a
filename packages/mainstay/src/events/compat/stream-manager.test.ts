import { describe, expect, test } from 'vitest'

import type { JsonObject } from '../../core/json.ts'
import { EventMessage } from './event-message.ts'
import { FakeSocket } from './testing/fake-socket.ts'
import { managerStage } from './testing/manager-stage.ts'

describe('clients come and go (event-stream 3)', () => {
  test('E-18 a client that comes is accepted once and registered', async () => {
    const { manager } = managerStage()
    const socket = new FakeSocket()
    await manager.connect(socket)
    expect(socket.accepted).toBe(1)
    expect([...manager.connections.keys()]).toEqual([socket])
    expect(manager.connections.get(socket)).toMatchObject({ eventFilters: [], nodeFilters: [], serviceFilters: [] })
  })

  test('E-18 a client whose handshake fails is not registered', async () => {
    const { manager, loops } = managerStage()
    const socket = new FakeSocket()
    socket.failure = new Error('no')
    await expect(manager.connect(socket)).rejects.toThrow('no')
    expect(manager.connections.size).toBe(0)
    expect(loops.started).toEqual([])
  })

  test('E-19 two clients share one broadcaster', async () => {
    const { manager, loops } = managerStage()
    await manager.connect(new FakeSocket())
    await manager.connect(new FakeSocket())
    expect(loops.names()).toEqual(['broadcaster'])
  })

  test('E-20 a broadcaster that has ended is started again', async () => {
    const { manager, loops } = managerStage()
    await manager.connect(new FakeSocket())
    loops.started[0]!.ended = true
    await manager.connect(new FakeSocket())
    expect(loops.names()).toEqual(['broadcaster', 'broadcaster'])
  })

  test('E-21 a client that goes is forgotten, and its socket left alone', async () => {
    const { manager } = managerStage()
    const socket = new FakeSocket()
    await manager.connect(socket)
    manager.disconnect(socket)
    expect(manager.connections.size).toBe(0)
    expect(socket.closed).toEqual([])
  })

  test('E-22 an unknown client can go', () => {
    const { manager } = managerStage()
    manager.disconnect(new FakeSocket())
    expect(manager.connections.size).toBe(0)
  })
})

describe('filters are changed (event-stream 3)', () => {
  const ALL = { eventFilters: ['e'], nodeFilters: ['n'], serviceFilters: ['s'] }

  test.each([
    ['E-23 all three are set', {}, ALL],
    ['E-24 nodes alone leave the others', { nodeFilters: ['m'] }, { ...ALL, nodeFilters: ['m'] }],
    ['E-24 null leaves a list', { eventFilters: null, serviceFilters: ['t'] }, { ...ALL, serviceFilters: ['t'] }],
    ['E-25 an empty list clears', { eventFilters: [] }, { ...ALL, eventFilters: [] }],
  ])('%s', async (_what, changes, expected) => {
    const { manager } = managerStage()
    const socket = new FakeSocket()
    await manager.connect(socket)
    manager.updateFilters(socket, ALL)
    manager.updateFilters(socket, changes)
    expect(manager.connections.get(socket)).toMatchObject(expected)
  })

  test('E-26 an unknown client changes nothing', () => {
    const { manager } = managerStage()
    manager.updateFilters(new FakeSocket(), ALL)
    expect(manager.connections.size).toBe(0)
  })
})

describe('events and heartbeats (event-stream 3)', () => {
  const signal = new AbortController().signal

  test('E-27 an event that is added comes out', async () => {
    const { manager } = managerStage()
    const event = new EventMessage('a.b', 'openstack', {})
    manager.addEvent(event)
    expect(manager.eventQueue.size).toBe(1)
    expect(await manager.eventQueue.take({ signal })).toBe(event)
  })

  test('E-28 without clients there is no heartbeat', () => {
    const { manager } = managerStage()
    manager.sendHeartbeat()
    expect(manager.eventQueue.size).toBe(0)
  })

  test('E-29 with a client there is one', () => {
    const { manager } = managerStage()
    manager.register(new FakeSocket())
    manager.sendHeartbeat()
    expect(manager.eventQueue.first).toMatchObject({
      event_type: 'heartbeat',
      source: 'osism',
      data: { message: 'ping' },
      node_name: null,
    })
  })

  test('E-222 what waits without anybody to take it is bounded, and nobody who comes later gets it', () => {
    const { manager } = managerStage({ maxWaiting: 3 })
    for (let n = 1; n <= 5; n += 1) manager.addEvent(new EventMessage(`e.${n}`, 's', {}))
    expect(manager.eventQueue.size).toBe(3)
    expect(manager.eventQueue.unfinished).toBe(3)
    expect(manager.eventQueue.first).toMatchObject({ event_type: 'e.3' })
    manager.register(new FakeSocket())
    expect(manager.eventQueue.size).toBe(0)
  })
})

const DATA = 'ironic_object.data'

describe('notifications become events (event-stream 4)', () => {
  test.each<[string, string, JsonObject, string | null, string | null, string]>([
    [
      'E-30',
      'baremetal.node.power_set.end',
      { [DATA]: { name: 'node1', uuid: 'abc-123' } },
      'node1',
      'abc-123',
      'baremetal',
    ],
    [
      'E-31',
      'compute.instance.update',
      { 'nova_object.data': { host: 'compute-1', name: 'instance-a', uuid: 'u-1' } },
      'compute-1',
      'u-1',
      'compute',
    ],
    [
      'E-32',
      'nova.instance.update',
      { 'nova_object.data': { name: 'instance-a', uuid: 'u-1' } },
      'instance-a',
      'u-1',
      'nova',
    ],
    [
      'E-32',
      'nova.instance.update',
      { 'nova_object.data': { host: '', name: 'instance-a' } },
      'instance-a',
      null,
      'nova',
    ],
    [
      'E-33',
      'network.floatingip.update.end',
      { 'neutron_object.data': { id: 'net-1', name: 'public' } },
      'public',
      'net-1',
      'network',
    ],
    [
      'E-34',
      'neutron.port.create.end',
      { 'neutron_object.data': { uuid: 'net-2', device_id: 'dev-1' } },
      'dev-1',
      'net-2',
      'neutron',
    ],
    [
      'E-35',
      'volume.volume.create.end',
      { 'cinder_object.data': { id: 'v-1', name: 'disk' } },
      'disk',
      'v-1',
      'volume',
    ],
    [
      'E-36',
      'volume.volume.update.end',
      { 'cinder_object.data': { uuid: 'v-2', display_name: 'disk-2' } },
      'disk-2',
      'v-2',
      'volume',
    ],
    ['E-37', 'image.image.upload.end', { 'glance_object.data': { id: 'i-1', name: 'linux' } }, 'linux', 'i-1', 'image'],
    ['E-38', 'image.image.update.end', { 'glance_object.data': { uuid: 'i-2' } }, null, 'i-2', 'image'],
    [
      'E-39',
      'identity.project.created',
      { 'keystone_object.data': { id: 'p-1', name: 'demo' } },
      'demo',
      'p-1',
      'identity',
    ],
    ['E-40', 'identity.user.updated', { 'keystone_object.data': { uuid: 'p-2' } }, null, 'p-2', 'identity'],
    ['E-41', 'baremetal.node.power_set.end', { other: 1 }, null, null, 'baremetal'],
    ['E-42', 'foo.bar', { x: 1 }, null, null, 'foo'],
    ['E-43', '', { x: 1 }, null, null, 'unknown'],
  ])('%s %s with %j is about node %j and resource %j', async (_case, type, payload, node, resource, service) => {
    const { manager, log } = managerStage()
    await manager.broadcastEventFromNotification(type, payload)
    expect(manager.eventQueue.size).toBe(1)
    expect(manager.eventQueue.first).toMatchObject({
      event_type: type,
      source: 'openstack',
      node_name: node,
      data: { ...payload, service_type: service, resource_id: resource },
    })
    expect(log.at('error')).toEqual([])
  })

  test('E-44 the payload is left as it was, and what is nested in it is shared', async () => {
    const { manager } = managerStage()
    const nested = { name: 'node1', uuid: 'abc-123' }
    const payload = { [DATA]: nested, service_type: 'mine' }
    await manager.broadcastEventFromNotification('baremetal.node.power_set.end', payload)
    expect(payload).toEqual({ [DATA]: { name: 'node1', uuid: 'abc-123' }, service_type: 'mine' })
    expect(manager.eventQueue.first?.data).toEqual({
      [DATA]: nested,
      service_type: 'baremetal',
      resource_id: 'abc-123',
    })
    expect(manager.eventQueue.first?.data[DATA]).toBe(nested)
  })

  test.each<[string, unknown]>([
    ['a list', [1, 2]],
    ['null', null],
    ['a text', 'x'],
    ['an instance of a class', new Map()],
    ['object data that is null', { [DATA]: null }],
    ['object data that is a list', { [DATA]: [] }],
  ])('E-45 %s is logged and not queued', async (_what, payload) => {
    const { manager, log } = managerStage()
    await manager.broadcastEventFromNotification('baremetal.node.power_set.end', payload)
    expect(manager.eventQueue.size).toBe(0)
    expect(log.at('error')).toEqual([expect.stringMatching(/^Error creating event from notification/)])
  })
})
