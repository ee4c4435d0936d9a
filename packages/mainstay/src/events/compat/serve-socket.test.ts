import { describe, expect, test } from 'vitest'

import { parseJson, toJson, type Json } from '../../core/json.ts'
import type { Inbound } from './client-dialogue.ts'
import type { FilterChanges } from './filter-lists.ts'
import { serveSocket, type SocketDesk } from './serve-socket.ts'
import { SocketDisconnected, type Socket } from './socket.ts'
import { StreamManager } from './stream-manager.ts'
import { FakeSocket } from './testing/fake-socket.ts'
import { LogLines } from './testing/log-lines.ts'

/** Remembers what it is asked, and fails once when it is told to. */
class FakeDesk implements SocketDesk {
  readonly connected: Socket[] = []
  readonly disconnected: Socket[] = []
  readonly updates: FilterChanges[] = []
  failure: Error | undefined

  async connect(socket: Socket): Promise<void> {
    await socket.accept()
    this.connected.push(socket)
  }

  disconnect(socket: Socket): void {
    this.disconnected.push(socket)
  }

  updateFilters(_socket: Socket, changes: FilterChanges): void {
    const { failure } = this
    this.failure = undefined
    if (failure !== undefined) throw failure
    this.updates.push(changes)
  }
}

interface Served {
  readonly socket: FakeSocket
  readonly replies: Json[]
  readonly log: LogLines
}

async function serve(desk: SocketDesk, inbound: readonly (Inbound | Error)[], tellErrors = false): Promise<Served> {
  const [socket, log] = [new FakeSocket(), new LogLines()]
  const messages = async function* (): AsyncGenerator<Inbound> {
    for (const message of inbound) {
      if (message instanceof Error) throw message
      yield message
    }
  }
  await serveSocket({ desk, logger: log.logger, tellErrors }, socket, messages())
  return { socket, log, replies: socket.texts.map((text) => parseJson(text, 'a reply')) }
}

const LISTS = { event_filters: ['a.b'], node_filters: ['n'], service_filters: ['s'] }
const SET_FILTERS = toJson({ action: 'set_filters', ...LISTS })
const ACK = { type: 'filter_update', status: 'success', ...LISTS }
const CHANGES = { eventFilters: ['a.b'], nodeFilters: ['n'], serviceFilters: ['s'] }

describe('a client of the compatible stream (event-stream 6)', () => {
  test.each<[string, (Inbound | Error)[]]>([
    ['closes', []],
    ['is gone', [new SocketDisconnected()]],
    ['fails', [new Error('boom')]],
  ])('E-92 a client that %s is forgotten', async (_what, inbound) => {
    const desk = new FakeDesk()
    const { socket, log } = await serve(desk, inbound)
    expect(desk.connected).toEqual([socket])
    expect(desk.disconnected).toEqual([socket])
    expect(log.at('error')).toEqual(
      inbound.some((each) => each instanceof Error && each.message === 'boom')
        ? ['Serving a client of the event stream failed: boom']
        : [],
    )
  })

  test('E-93 filters that are set are acknowledged with what the message said', async () => {
    const desk = new FakeDesk()
    const { replies } = await serve(desk, [SET_FILTERS])
    expect(replies).toEqual([ACK])
    expect(desk.updates).toEqual([CHANGES])
  })

  test('E-94 lists that are missing are null, in the acknowledgement and for the manager', async () => {
    const desk = new FakeDesk()
    const { replies, socket } = await serve(desk, [toJson({ action: 'set_filters', event_filters: [] })])
    expect(socket.texts).toEqual([
      '{"type":"filter_update","status":"success","event_filters":[],"node_filters":null,"service_filters":null}',
    ])
    expect(replies).toHaveLength(1)
    expect(desk.updates).toEqual([{ eventFilters: [], nodeFilters: null, serviceFilters: null }])
  })

  test.each<[string, string, string]>([
    ['E-95 what is not JSON', '{not json', 'bad_json'],
    ['E-95 a list', '[1]', 'bad_message'],
    ['E-95 a text', '"set_filters"', 'bad_message'],
    ['E-96 another action', '{"action":"subscribe"}', 'unknown_action'],
    ['E-96 no action', '{}', 'unknown_action'],
  ])('%s is answered only to those who want to know, and the next message works', async (_what, text, code) => {
    const [quiet, told] = [new FakeDesk(), new FakeDesk()]
    expect((await serve(quiet, [text, SET_FILTERS])).replies).toEqual([ACK])
    expect(quiet.updates).toEqual([CHANGES])
    expect((await serve(told, [text, SET_FILTERS], true)).replies).toEqual([
      { type: 'error', code, message: expect.any(String) },
      ACK,
    ])
  })

  test('E-97 filters that could not be changed are not acknowledged, and the next message works', async () => {
    const desk = new FakeDesk()
    desk.failure = new Error('boom')
    const { replies, log, socket } = await serve(desk, [SET_FILTERS, SET_FILTERS])
    expect(replies).toEqual([ACK])
    expect(log.at('error')).toEqual(['Error handling a message of a client: boom'])
    expect(socket.closed).toEqual([])
    desk.failure = new Error('boom')
    expect((await serve(desk, [SET_FILTERS], true)).replies).toEqual([
      { type: 'error', code: 'failed', message: 'the filters could not be changed' },
    ])
  })

  test('E-210 filters that are none are always answered', async () => {
    const manager = new StreamManager()
    const { replies, socket } = await serve(manager, [toJson({ action: 'set_filters', event_filters: 'a.b' })])
    expect(replies).toEqual([{ type: 'error', code: 'bad_filter', message: expect.stringContaining('event_filters') }])
    expect(socket.closed).toEqual([])
    expect(manager.connections.size).toBe(0)
    await manager.close()
  })

  test('a binary frame ends it', async () => {
    const desk = new FakeDesk()
    const { socket } = await serve(desk, [null, SET_FILTERS])
    expect(socket.closed).toEqual([{ code: 1003, reason: expect.any(String) }])
    expect(desk.updates).toEqual([])
    expect(desk.disconnected).toEqual([socket])
  })
})
