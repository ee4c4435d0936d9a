import { describe, expect, onTestFinished, test, vi } from 'vitest'

import { ManualClock } from '../../core/clock.ts'
import type { JsonObject } from '../../core/json.ts'
import { EventMessage } from './event-message.ts'
import { SocketDisconnected } from './socket.ts'
import { StreamManager, type StreamManagerOptions } from './stream-manager.ts'
import { FakeLoops } from './testing/fake-loops.ts'
import { FakeSocket } from './testing/fake-socket.ts'
import { LogLines } from './testing/log-lines.ts'

interface Stage {
  readonly manager: StreamManager
  readonly log: LogLines
  readonly loops: FakeLoops
}

function stage(options: StreamManagerOptions = {}): Stage {
  const log = new LogLines()
  const loops = new FakeLoops()
  const manager = new StreamManager({
    clock: new ManualClock(),
    logger: log.logger,
    startLoop: loops.start,
    heartbeatSource: 'osism',
    ...options,
  })
  return { manager, log, loops }
}

describe('clients come and go (event-stream 3)', () => {
  test('E-18 a client that comes is accepted once and registered', async () => {
    const { manager } = stage()
    const socket = new FakeSocket()
    await manager.connect(socket)
    expect(socket.accepted).toBe(1)
    expect([...manager.connections.keys()]).toEqual([socket])
    expect(manager.connections.get(socket)).toMatchObject({ eventFilters: [], nodeFilters: [], serviceFilters: [] })
  })

  test('E-18 a client whose handshake fails is not registered', async () => {
    const { manager, loops } = stage()
    const socket = new FakeSocket()
    socket.failure = new Error('no')
    await expect(manager.connect(socket)).rejects.toThrow('no')
    expect(manager.connections.size).toBe(0)
    expect(loops.started).toEqual([])
  })

  test('E-19 two clients share one broadcaster', async () => {
    const { manager, loops } = stage()
    await manager.connect(new FakeSocket())
    await manager.connect(new FakeSocket())
    expect(loops.names()).toEqual(['broadcaster'])
  })

  test('E-20 a broadcaster that has ended is started again', async () => {
    const { manager, loops } = stage()
    await manager.connect(new FakeSocket())
    loops.started[0]!.ended = true
    await manager.connect(new FakeSocket())
    expect(loops.names()).toEqual(['broadcaster', 'broadcaster'])
  })

  test('E-21 a client that goes is forgotten, and its socket left alone', async () => {
    const { manager } = stage()
    const socket = new FakeSocket()
    await manager.connect(socket)
    manager.disconnect(socket)
    expect(manager.connections.size).toBe(0)
    expect(socket.closed).toEqual([])
  })

  test('E-22 an unknown client can go', () => {
    const { manager } = stage()
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
    const { manager } = stage()
    const socket = new FakeSocket()
    await manager.connect(socket)
    manager.updateFilters(socket, ALL)
    manager.updateFilters(socket, changes)
    expect(manager.connections.get(socket)).toMatchObject(expected)
  })

  test('E-26 an unknown client changes nothing', () => {
    const { manager } = stage()
    manager.updateFilters(new FakeSocket(), ALL)
    expect(manager.connections.size).toBe(0)
  })
})

describe('events and heartbeats (event-stream 3)', () => {
  const signal = new AbortController().signal

  test('E-27 an event that is added comes out', async () => {
    const { manager } = stage()
    const event = new EventMessage('a.b', 'openstack', {})
    manager.addEvent(event)
    expect(manager.eventQueue.size).toBe(1)
    expect(await manager.eventQueue.take({ signal })).toBe(event)
  })

  test('E-28 without clients there is no heartbeat', () => {
    const { manager } = stage()
    manager.sendHeartbeat()
    expect(manager.eventQueue.size).toBe(0)
  })

  test('E-29 with a client there is one', () => {
    const { manager } = stage()
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
    const { manager } = stage({ maxWaiting: 3 })
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
    const { manager, log } = stage()
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
    const { manager } = stage()
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
    const { manager, log } = stage()
    await manager.broadcastEventFromNotification('baremetal.node.power_set.end', payload)
    expect(manager.eventQueue.size).toBe(0)
    expect(log.at('error')).toEqual([expect.stringMatching(/^Error creating event from notification/)])
  })
})

describe('the broadcaster (event-stream 5)', () => {
  const EVENT = new EventMessage('baremetal.node.power_set.end', 'openstack', { a: 'ü' }, 'node-1')
  const settled = { timeout: 10_000, interval: 5 }

  /** A manager whose broadcaster runs, with clients in its registry. */
  function running(
    sockets: readonly FakeSocket[],
    options: StreamManagerOptions = {},
  ): Stage & { done: Promise<void> } {
    const all = stage(options)
    const stopping = new AbortController()
    for (const socket of sockets) all.manager.register(socket)
    const done = all.manager.runBroadcaster(stopping.signal)
    onTestFinished(async () => {
      stopping.abort()
      await done
    })
    return { ...all, done }
  }

  test('E-46 sends what matches, once', async () => {
    const socket = new FakeSocket()
    const { manager } = running([socket])
    manager.addEvent(EVENT)
    await vi.waitFor(() => expect(socket.texts).toEqual([EVENT.toJson()]), settled)
    expect(manager.eventQueue.unfinished).toBe(0)
  })

  test('E-47 sends to those alone whose filters match', async () => {
    const [one, other] = [new FakeSocket(), new FakeSocket()]
    const { manager } = running([one, other])
    manager.updateFilters(one, { nodeFilters: ['node-2'] })
    manager.addEvent(EVENT)
    await vi.waitFor(() => expect(other.texts).toHaveLength(1), settled)
    expect(one.texts).toEqual([])
  })

  test('E-48 forgets a client that is gone', async () => {
    const socket = new FakeSocket()
    socket.failure = new SocketDisconnected()
    const { manager, log } = running([socket])
    manager.addEvent(EVENT)
    await vi.waitFor(() => expect(manager.connections.size).toBe(0), settled)
    expect(log.at('error')).toEqual([])
  })

  test('E-49 forgets, closes and logs a client that fails otherwise', async () => {
    const [bad, good] = [new FakeSocket(), new FakeSocket()]
    bad.failure = new Error('boom')
    const { manager, log } = running([bad, good])
    manager.addEvent(EVENT)
    await vi.waitFor(() => expect(manager.connections.size).toBe(1), settled)
    expect(log.at('error')).toEqual(['Error sending message to WebSocket: boom'])
    expect(bad.closed).toEqual([{ code: 1011, reason: 'sending failed' }])
    expect(good.texts).toHaveLength(1)
  })

  test('E-50 drops events that nobody is there for, and goes on', async () => {
    const { manager } = running([])
    manager.addEvent(EVENT)
    await vi.waitFor(() => expect(manager.eventQueue.unfinished).toBe(0), settled)
    const socket = new FakeSocket()
    manager.register(socket)
    manager.addEvent(new EventMessage('next', 's', {}))
    await vi.waitFor(() => expect(socket.texts).toHaveLength(1), settled)
    expect(socket.texts[0]).toContain('"next"')
  })

  test('E-51 ends quietly while it waits', async () => {
    const log = new LogLines()
    const manager = new StreamManager({ clock: new ManualClock(), logger: log.logger })
    const socket = new FakeSocket()
    await manager.connect(socket)
    manager.addEvent(EVENT)
    await vi.waitFor(() => expect(socket.texts).toHaveLength(1), settled)
    await manager.close()
    expect(log.at('info').at(-1)).toBe('The broadcaster of the event stream stopped')
    expect(log.at('error')).toEqual([])
  })

  test('R19 a client that takes nothing delays nobody, and is closed at the hard limit', async () => {
    const [stuck, full, good] = [new FakeSocket(), new FakeSocket(), new FakeSocket()]
    stuck.stuck = true
    const { manager } = running([stuck, full, good], { hardLimitMessages: 10, hardLimitBytes: 1000 })
    for (let n = 0; n < 10; n += 1) manager.addEvent(EVENT)
    await vi.waitFor(() => expect(good.texts).toHaveLength(10), settled)
    expect(manager.connections.size).toBe(3)
    full.bufferedAmount = 1001
    manager.addEvent(EVENT)
    await vi.waitFor(() => expect(good.texts).toHaveLength(11), settled)
    expect(stuck.texts).toHaveLength(10)
    expect([stuck.closed, full.closed]).toEqual([
      [{ code: 4408, reason: 'too slow' }],
      [{ code: 4408, reason: 'too slow' }],
    ])
    expect([...manager.connections.keys()]).toEqual([good])
  })

  test('R33 a heartbeat reaches everybody, whatever the filters', async () => {
    const socket = new FakeSocket()
    const { manager } = running([socket])
    manager.updateFilters(socket, { serviceFilters: ['baremetal'] })
    manager.sendHeartbeat()
    await vi.waitFor(() => expect(socket.texts).toHaveLength(1), settled)
    manager.addEvent(new EventMessage('heartbeat', 'openstack', {}))
    manager.addEvent(EVENT)
    await vi.waitFor(() => expect(socket.texts).toHaveLength(2), settled)
    expect(socket.texts[1]).toBe(EVENT.toJson())
  })

  test('goes on after an event that cannot be written, and with a socket that cannot be closed', async () => {
    const socket = new FakeSocket()
    const { manager, log } = running([socket])
    const round: { self?: JsonObject } = {}
    round.self = round
    manager.addEvent(new EventMessage('bad', 's', round))
    manager.addEvent(EVENT)
    await vi.waitFor(() => expect(socket.texts).toHaveLength(1), settled)
    expect(log.at('error')).toEqual([expect.stringMatching(/^Error in the broadcaster: /)])
    socket.failure = new SocketDisconnected()
    socket.close = () => {
      throw new Error('closed already')
    }
    manager.addEvent(EVENT)
    await vi.waitFor(() => expect(manager.connections.size).toBe(0), settled)
  })
})
