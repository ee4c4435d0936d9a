import { describe, expect, onTestFinished, test, vi } from 'vitest'

import { ManualClock } from '../../core/clock.ts'
import type { JsonObject } from '../../core/json.ts'
import { EventMessage } from './event-message.ts'
import { SocketDisconnected } from './socket.ts'
import { StreamManager, type StreamManagerOptions } from './stream-manager.ts'
import { FakeSocket } from './testing/fake-socket.ts'
import { LogLines } from './testing/log-lines.ts'
import { managerStage, type ManagerStage } from './testing/manager-stage.ts'

describe('the broadcaster (event-stream 5)', () => {
  const EVENT = new EventMessage('baremetal.node.power_set.end', 'openstack', { a: 'ü' }, 'node-1')
  const settled = { timeout: 10_000, interval: 5 }

  /** A manager whose broadcaster runs, with clients in its registry. */
  function running(
    sockets: readonly FakeSocket[],
    options: StreamManagerOptions = {},
  ): ManagerStage & { done: Promise<void> } {
    const all = managerStage(options)
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
