import { describe, expect, test } from 'vitest'

import { MainstayError } from '../../core/errors.ts'
import { isJsonObject, parseJson, type Json, type JsonObject } from '../../core/json.ts'
import { createLogger } from '../../core/logging.ts'
import { LogLines } from '../compat/testing/log-lines.ts'
import { RecordingClock } from '../compat/testing/recording-clock.ts'
import { EventLogUnavailableError } from '../errors.ts'
import type { Accepted, Ingest } from '../ingest.ts'
import type { NewStreamEvent } from '../stream-event.ts'
import { BaremetalEvents, objectData, type InventoryTasks } from './baremetal-events.ts'
import { eventInfo } from './event-info.ts'
import { FollowUps } from './follow-ups.ts'
import { NotificationForwarder, type HttpClient } from './notification-forwarder.ts'
import { NotificationIntake, type NotificationIntakeDeps } from './notification-intake.ts'
import { body, notification, type NotificationMembers } from './testing/notification.ts'

const NODE = { name: 'node-1', uuid: 'u-1', power_state: 'power on', provision_state: 'active', maintenance: true }
const PAYLOAD = { 'ironic_object.data': NODE }
const POWER = 'baremetal.node.power_set.end'

/** Writes down what it is asked. */
class FakeInventory implements InventoryTasks {
  readonly calls: unknown[][] = []
  failure: Error | undefined

  async setPowerState(...call: unknown[]): Promise<void> {
    this.#note('power', call)
  }

  async setMaintenance(...call: unknown[]): Promise<void> {
    this.#note('maintenance', call)
  }

  async setProvisionState(...call: unknown[]): Promise<void> {
    this.#note('provision', call)
  }

  #note(name: string, call: unknown[]): void {
    this.calls.push([name, ...call])
    if (this.failure !== undefined) throw this.failure
  }
}

function baremetal(): { events: BaremetalEvents; tasks: FakeInventory; log: LogLines } {
  const [tasks, log] = [new FakeInventory(), new LogLines()]
  return { events: new BaremetalEvents({ tasks, logger: log.logger }), tasks, log }
}

const POWERED = [['power', 'node-1', 'power on']]
const PROVISIONED = [['provision', 'node-1', 'active']]

describe('what the inventory is told (event-stream 8.4)', () => {
  test.each<[string, string, unknown[][]]>([
    ['E-115 E-128', 'baremetal.node.power_set.end', POWERED],
    ['E-116 E-129', 'baremetal.node.power_state_corrected.success', POWERED],
    ['E-117 E-130', 'baremetal.node.maintenance_set.end', [['maintenance', 'node-1', { state: true }]]],
    ['E-118 E-131', 'baremetal.node.provision_set.start', PROVISIONED],
    ['E-119 E-132', 'baremetal.node.provision_set.end', PROVISIONED],
    ['E-120 E-133', 'baremetal.node.provision_set.success', PROVISIONED],
    [
      'E-121 E-134',
      'baremetal.node.delete.end',
      [
        ['provision', 'node-1', null],
        ['power', 'node-1', null],
      ],
    ],
    ['E-122 E-135', 'baremetal.node.create.end', [...PROVISIONED, ...POWERED]],
    ['E-125 five segments', 'baremetal.node.power_set.end.again', POWERED],
  ])('%s %s', async (_case, eventType, calls) => {
    const { events, tasks } = baremetal()
    expect(events.handlerFor(eventType)).toBeDefined()
    await events.handle(eventType, PAYLOAD)
    expect(tasks.calls).toEqual(calls)
  })

  test.each([
    ['E-123 an unknown leaf', 'baremetal.node.power_set.start'],
    ['E-124 an unknown branch', 'baremetal.port.create.end'],
    ['E-126 three segments', 'baremetal.node.power_set'],
  ])('%s, %s, asks for nothing', async (_case, eventType) => {
    const { events, tasks, log } = baremetal()
    expect(events.handlerFor(eventType)).toBeUndefined()
    await events.handle(eventType, PAYLOAD)
    await events.handle(eventType, {})
    expect(tasks.calls).toEqual([])
    expect(log.at('info')).toEqual([`${eventType} ## node-1`, `${eventType} ## unknown`])
  })

  test.each<[string, JsonObject]>([
    ['nothing', {}],
    ['null', { 'ironic_object.data': null }],
    ['a list', { 'ironic_object.data': [] }],
  ])('E-127 %s is no object data', async (_what, payload) => {
    expect(() => objectData(payload)).toThrow(TypeError)
    await expect(baremetal().events.handle(POWER, payload)).rejects.toThrow(TypeError)
  })

  test('a node without a name is refused, and a state that is none is not known', async () => {
    const { events, tasks } = baremetal()
    await expect(events.handle(POWER, { 'ironic_object.data': {} })).rejects.toThrow('the node has no name')
    await events.handle(POWER, { 'ironic_object.data': { name: 'node-2', power_state: 7 } })
    expect(tasks.calls).toEqual([['power', 'node-2', null]])
  })
})

describe('what the debug log says of an event (event-stream 8.3)', () => {
  const NOVA = { uuid: 'u', host: 'c-1', state: 'active', task_state: null, image_uuid: 'x' }

  test.each<[string, string, JsonObject, JsonObject]>([
    ['E-162', POWER, PAYLOAD, { name: 'node-1', provision_state: 'active', power_state: 'power on' }],
    [
      'E-163',
      'compute.instance.update',
      { 'nova_object.data': NOVA },
      { uuid: 'u', host: 'c-1', state: 'active', task_state: null },
    ],
    ['E-163', 'nova.instance.update', {}, { uuid: null, host: null, state: null, task_state: null }],
    ['E-164', 'network.create.end', { network: { id: 'n' } }, { service: 'neutron' }],
    ['E-164', 'neutron.port.update', {}, { service: 'neutron' }],
    ['E-165', 'volume.create.end', {}, { service: 'volume' }],
    ['E-165', 'image.upload', {}, { service: 'image' }],
    ['E-166', '', {}, { service: 'unknown' }],
  ])('%s %s', (_case, eventType, payload, info) => {
    expect(eventInfo(eventType, payload)).toEqual(info)
  })
})

/** Keeps what it is given, after failing as often as it is told to. */
class FakeSink implements Ingest {
  readonly events: NewStreamEvent[] = []
  readonly failures: Error[] = []

  async accept(batch: readonly NewStreamEvent[]): Promise<Accepted> {
    const failure = this.failures.shift()
    if (failure !== undefined) throw failure
    this.events.push(...batch)
    return { duplicates: 0, spooled: false }
  }
}

interface Stage {
  readonly intake: NotificationIntake
  readonly sink: FakeSink
  readonly log: LogLines
  readonly clock: RecordingClock
  readonly dead: string[]
  readonly bridged: unknown[][]
  readonly take: (members?: NotificationMembers) => Promise<void>
}

function stage(deps: Partial<NotificationIntakeDeps> = {}): Stage {
  const [sink, log, clock] = [new FakeSink(), new LogLines(), new RecordingClock()]
  const dead: string[] = []
  const bridged: unknown[][] = []
  const intake = new NotificationIntake({
    clock,
    logger: log.logger,
    ingest: sink,
    bridge: { addEvent: async (...call) => void bridged.push(call) },
    baremetal: null,
    forwarder: null,
    onDeadLetter: (reason) => dead.push(reason),
    ...deps,
  })
  const take = async (members: NotificationMembers = {}): Promise<void> => {
    await intake.take({ body: body(members), routingKey: 'topic.warn', redelivered: false }, 'ironic')
    await intake.idle()
  }
  return { intake, sink, log, clock, dead, bridged, take }
}

describe('a message is taken (event-stream 8.3)', () => {
  test('E-166 without an event type', async () => {
    const { take, log, sink, bridged } = stage()
    await take({ event_type: undefined, payload: { a: 1 } })
    expect(log.at('debug')).toEqual(['Received ironic event: unknown', 'unknown: {"service":"unknown"}'])
    expect(sink.events).toMatchObject([{ event_type: '', service_type: 'unknown' }])
    expect(bridged).toEqual([['', { a: 1 }]])
  })

  test('E-167 the bridge is given type and payload', async () => {
    const { take, bridged, log } = stage()
    await take({ payload: PAYLOAD })
    expect(bridged).toEqual([[POWER, PAYLOAD]])
    expect(log.at('error')).toEqual([])
  })

  test.each([
    ['E-168', PAYLOAD, `The event was ${POWER} of node-1`],
    ['E-169', { x: 1 }, `The event was ${POWER} of unknown`],
  ])('%s a bridge that fails is logged, and the inventory is told all the same', async (_case, payload, line) => {
    const { events, tasks } = baremetal()
    const bridge = { addEvent: async () => await Promise.reject(new Error('boom')) }
    const { take, log } = stage({ bridge, baremetal: events })
    await take({ payload })
    expect(log.at('error').slice(0, 2).sort()).toEqual(['Error forwarding an event to the bridge: boom', line])
    expect(tasks.calls).toEqual(payload === PAYLOAD ? POWERED : [])
  })

  test('E-170 without a bridge nothing is said of one', async () => {
    const { take, log } = stage({ bridge: null })
    await take()
    expect(log.all.join()).not.toMatch(/bridge/)
  })

  test('E-180 E-181 without an API the inventory is told', async () => {
    const { events, tasks } = baremetal()
    const { take } = stage({ baremetal: events })
    await take({ payload: PAYLOAD })
    await take({ event_type: 'instance.create.end', payload: PAYLOAD })
    expect(tasks.calls).toEqual(POWERED)
  })

  test('R16 R32 the routing key gives a missing priority, and secrets go nowhere', async () => {
    const { take, sink, bridged } = stage()
    await take({ priority: null, payload: { ...PAYLOAD, admin_password: 'hunter2' } })
    expect(sink.events[0]).toMatchObject({ severity: 'warning' })
    expect(bridged).toEqual([[POWER, { ...PAYLOAD, admin_password: '***' }]])
  })

  test('R2 a notification without an id has the same one each time it comes', async () => {
    const { take, sink } = stage()
    await take({ message_id: undefined })
    await take({ message_id: undefined })
    await take({ message_id: undefined, payload: {} })
    const ids = sink.events.map(({ id }) => id)
    expect(ids[1]).toBe(ids[0])
    expect(ids[2]).not.toBe(ids[0])
  })
})

describe('a message is not acknowledged before its event is safe (R3, R7)', () => {
  test('while the store is away it is tried again, and others are told only afterwards', async () => {
    const { take, sink, clock, log, bridged } = stage({ retryDelayMs: (attempt) => attempt * 100 })
    sink.failures.push(new EventLogUnavailableError('away'), new EventLogUnavailableError('away'))
    await take()
    expect(clock.sleeps).toEqual([100, 200])
    expect(sink.events).toHaveLength(1)
    expect(bridged).toHaveLength(1)
    expect(log.at('warn')).toEqual([expect.stringContaining('the broker keeps them')])
  })

  test('told to stop, it gives the message back', async () => {
    const { intake, sink, bridged } = stage()
    sink.failures.push(new EventLogUnavailableError('away'))
    intake.stop(new Error('stopping'))
    const message = { body: body(), routingKey: 'x', redelivered: false }
    await expect(intake.take(message, 'ironic')).rejects.toThrow('stopping')
    expect(bridged).toEqual([])
  })

  class RefusedError extends MainstayError {
    readonly code = 'MS_TEST_REFUSED'
    readonly status = 400
    readonly retryable = false
  }

  test('what the store refuses for good is counted and acknowledged', async () => {
    const { take, sink, dead, bridged, clock } = stage({ retryDelayMs: () => 1 })
    sink.failures.push(...Array.from({ length: 3 }, () => new RefusedError('no')))
    await take()
    expect(dead).toEqual(['refused'])
    expect(bridged).toEqual([])
    sink.failures.push(new RangeError('only this time'))
    await take()
    expect(dead).toEqual(['refused'])
    expect(sink.events).toHaveLength(1)
    expect(clock.sleeps).toHaveLength(3)
  })

  test('what comes together is stored in order, whatever happens, and one bad event costs no other', async () => {
    const stored: string[] = []
    const calls: number[] = []
    let away = 2
    const ingest: Pick<Ingest, 'accept'> = {
      accept: async (events) => {
        calls.push(events.length)
        if (calls.length > 1 && away > 0) {
          away -= 1
          throw new EventLogUnavailableError('away')
        }
        if (events.some(({ event_type: type }) => type === 'bad')) throw new RefusedError('no')
        stored.push(...events.map(({ event_type: type }) => type))
        return { duplicates: 0, spooled: false }
      },
    }
    const { intake, dead } = stage({ ingest, retryDelayMs: () => 1 })
    const types = ['e.1', 'e.2', 'bad', 'e.3', 'e.4']
    await Promise.all(
      types.map(async (event_type) => {
        await intake.take({ body: body({ event_type }), routingKey: 'x', redelivered: false }, 'nova')
      }),
    )
    expect(stored).toEqual(['e.1', 'e.2', 'e.3', 'e.4'])
    expect(dead).toEqual(['refused'])
    expect(calls.slice(0, 4)).toEqual([1, 4, 4, 4])
  })

  test('told to stop, it gives back everything that waits', async () => {
    const never = Promise.withResolvers<never>()
    const { intake } = stage({ ingest: { accept: async () => await never.promise } })
    const message = { body: body(), routingKey: 'x', redelivered: false }
    const taken = [1, 2, 3].map(async () => await intake.take(message, 'nova'))
    const outcomes = Promise.allSettled(taken)
    intake.stop(new Error('stopping'))
    never.reject(new EventLogUnavailableError('away'))
    expect((await outcomes).map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected'])
  })

  test.each<[string, unknown]>([
    ['not decodable', 'not json'],
    ['too large', Buffer.alloc(1024 * 1024 + 1, 0x20)],
  ])('what is %s is counted, logged and acknowledged', async (reason, wire) => {
    const { intake, dead, log, sink } = stage()
    await intake.take({ body: wire, routingKey: 'x', redelivered: false }, 'nova')
    expect(dead).toEqual([reason])
    expect(log.at('error')).toEqual([expect.stringContaining(reason)])
    expect(sink.events).toEqual([])
  })

  test('without a store events still cross the bridge', async () => {
    const { take, bridged } = stage({ ingest: null })
    await take()
    expect(bridged).toHaveLength(1)
  })
})

describe('what follows does not hold up what comes', () => {
  test('it is done in order, failures do not matter, and too much is left out', async () => {
    const log = new LogLines()
    const [done, gate] = [[] as number[], Promise.withResolvers<void>()]
    let leftOut = 0
    const lane = new FollowUps({ name: 'Work', limit: 3, logger: log.logger, onDropped: () => (leftOut += 1) })
    lane.add(async () => await gate.promise)
    lane.add(async () => {
      done.push(1)
      throw new Error('boom')
    })
    lane.add(async () => void done.push(2))
    lane.add(async () => void done.push(3))
    gate.resolve()
    await lane.idle()
    lane.add(async () => void done.push(4))
    await lane.idle()
    expect([done, leftOut]).toEqual([[1, 2, 4], 1])
    expect(log.at('error')).toEqual(['Work failed: boom'])
    expect(log.at('warn')).toHaveLength(1)
    const small = new FollowUps({ name: 'Work', limitBytes: 100, logger: log.logger })
    small.add(async () => void done.push(5), 60)
    small.add(async () => expect.unreachable(), 60)
    await small.idle()
    small.add(async () => void done.push(6), 60)
    await small.idle()
    expect(done.slice(-2)).toEqual([5, 6])
    expect(log.at('warn')).toHaveLength(2)
  })
})

/** Answers as it is told, 204 otherwise. */
class FakeHttp implements HttpClient {
  readonly posts: { url: string; body: Json; timeoutMs: number }[] = []
  readonly answers: (number | Error)[]

  constructor(...answers: (number | Error)[]) {
    this.answers = answers
  }

  async post(url: string, request: { body: string; timeoutMs: number }): Promise<{ status: number }> {
    this.posts.push({ url, body: parseJson(request.body, 'a body'), timeoutMs: request.timeoutMs })
    const answer = this.answers.shift() ?? 204
    if (answer instanceof Error) throw answer
    return { status: answer }
  }
}

describe('an API is told (event-stream 8.5)', () => {
  function forwarding(...answers: (number | Error)[]): Stage & { http: FakeHttp; waits: RecordingClock } {
    const [http, log, waits] = [new FakeHttp(...answers), new LogLines(), new RecordingClock()]
    const forwarder = new NotificationForwarder({ apiUrl: 'http://api:8000/', http, clock: waits, logger: log.logger })
    return { ...stage({ forwarder }), http, log, waits }
  }

  const refused = (): Error => new Error('connection refused')
  const late = (): Error => new Error('timed out')

  test('E-171 the six members are posted, with 5 s for the answer', async () => {
    const { take, http, waits } = forwarding()
    await take({ _context_auth_token: 'gAAAA', payload: PAYLOAD })
    expect(http.posts).toEqual([
      {
        url: 'http://api:8000/notifications/baremetal',
        body: notification({ payload: PAYLOAD }),
        timeoutMs: 5000,
      },
    ])
    expect(Object.keys(http.posts[0]!.body as JsonObject)).toEqual([
      'priority',
      'event_type',
      'timestamp',
      'publisher_id',
      'message_id',
      'payload',
    ])
    expect(waits.sleeps).toEqual([])
  })

  test('E-172 only changes of machines are', async () => {
    const { take, http } = forwarding()
    await take({ event_type: 'instance.create.end' })
    expect(http.posts).toEqual([])
  })

  test.each<[string, (number | Error)[], number, number[], boolean]>([
    ['E-173 one refused connection', [refused()], 2, [3000], false],
    ['E-174 three refused connections', [refused(), refused(), refused()], 3, [3000, 9000], true],
    ['E-175 three time-outs', [late(), late(), late()], 3, [3000, 9000], true],
    ['E-176 a 404', [404], 1, [], true],
    ['E-177 a 500', [500], 2, [3000], false],
    ['E-178 three 503', [503, 503, 503], 3, [3000, 9000], true],
    ['E-179 a 200', [200], 1, [], false],
    ['a 408 and a 429', [408, 429], 3, [3000, 9000], false],
    ['a redirect', [302], 1, [], true],
  ])('%s', async (_what, answers, posts, sleeps, lost) => {
    const { take, http, waits, log } = forwarding(...answers)
    await take({ payload: PAYLOAD })
    expect(http.posts).toHaveLength(posts)
    expect(waits.sleeps).toEqual(sleeps)
    expect(log.at('error').some((line) => line.includes('was not taken by'))).toBe(lost)
  })

  test('E-174 what was lost is in the log as a whole', async () => {
    const written: string[] = []
    const logger = createLogger({
      level: 'error',
      format: 'json',
      destination: { write: (line) => void written.push(line) },
    })
    const clock = new RecordingClock()
    const http = new FakeHttp(404)
    const forwarder = new NotificationForwarder({ apiUrl: 'http://api', http, clock, logger })
    const { take } = stage({ forwarder })
    await take({ payload: PAYLOAD })
    const line = parseJson(written[0]!, 'a log line')
    expect(isJsonObject(line) && line['notification']).toEqual(notification({ payload: PAYLOAD }))
  })

  test('the inventory is told as well', async () => {
    const { events, tasks } = baremetal()
    const http = new FakeHttp()
    const forwarder = new NotificationForwarder({
      apiUrl: 'http://api',
      http,
      clock: new RecordingClock(),
      logger: new LogLines().logger,
    })
    const { take } = stage({ forwarder, baremetal: events })
    await take({ payload: PAYLOAD })
    expect([http.posts.length, tasks.calls]).toEqual([1, POWERED])
  })

  test('stopping ends the wait for the next try', async () => {
    const [log, waits] = [new LogLines(), new RecordingClock()]
    const http: HttpClient = {
      post: async () => {
        intake.stop(new Error('stopping'))
        throw refused()
      },
    }
    const forwarder = new NotificationForwarder({ apiUrl: 'http://api', http, clock: waits, logger: log.logger })
    const { intake, take } = stage({ forwarder })
    await take()
    expect(waits.sleeps).toEqual([])
    expect(log.at('error')).toEqual([])
  })
})
