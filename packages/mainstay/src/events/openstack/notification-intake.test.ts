import { describe, expect, test } from 'vitest'

import { MainstayError } from '../../core/errors.ts'
import { EventLogUnavailableError } from '../errors.ts'
import type { Ingest } from '../ingest.ts'
import { body } from './testing/notification.ts'
import { fakeBaremetal, PAYLOAD, POWER, POWERED } from './testing/fake-inventory.ts'
import { intakeStage } from './testing/intake-stage.ts'

describe('a message is taken (event-stream 8.3)', () => {
  test('E-166 without an event type', async () => {
    const { take, log, sink, bridged } = intakeStage()
    await take({ event_type: undefined, payload: { a: 1 } })
    expect(log.at('debug')).toEqual(['Received ironic event: unknown', 'unknown: {"service":"unknown"}'])
    expect(sink.events).toMatchObject([{ event_type: '', service_type: 'unknown' }])
    expect(bridged).toEqual([['', { a: 1 }]])
  })

  test('E-167 the bridge is given type and payload', async () => {
    const { take, bridged, log } = intakeStage()
    await take({ payload: PAYLOAD })
    expect(bridged).toEqual([[POWER, PAYLOAD]])
    expect(log.at('error')).toEqual([])
  })

  test.each([
    ['E-168', PAYLOAD, `The event was ${POWER} of node-1`],
    ['E-169', { x: 1 }, `The event was ${POWER} of unknown`],
  ])('%s a bridge that fails is logged, and the inventory is told all the same', async (_case, payload, line) => {
    const { events, tasks } = fakeBaremetal()
    const bridge = { addEvent: async () => await Promise.reject(new Error('boom')) }
    const { take, log } = intakeStage({ bridge, baremetal: events })
    await take({ payload })
    expect(log.at('error').slice(0, 2).sort()).toEqual(['Error forwarding an event to the bridge: boom', line])
    expect(tasks.calls).toEqual(payload === PAYLOAD ? POWERED : [])
  })

  test('E-170 without a bridge nothing is said of one', async () => {
    const { take, log } = intakeStage({ bridge: null })
    await take()
    expect(log.all.join()).not.toMatch(/bridge/)
  })

  test('E-180 E-181 without an API the inventory is told', async () => {
    const { events, tasks } = fakeBaremetal()
    const { take } = intakeStage({ baremetal: events })
    await take({ payload: PAYLOAD })
    await take({ event_type: 'instance.create.end', payload: PAYLOAD })
    expect(tasks.calls).toEqual(POWERED)
  })

  test('R16 R32 the routing key gives a missing priority, and secrets go nowhere', async () => {
    const { take, sink, bridged } = intakeStage()
    await take({ priority: null, payload: { ...PAYLOAD, admin_password: 'hunter2' } })
    expect(sink.events[0]).toMatchObject({ severity: 'warning' })
    expect(bridged).toEqual([[POWER, { ...PAYLOAD, admin_password: '***' }]])
  })

  test('R2 a notification without an id has the same one each time it comes', async () => {
    const { take, sink } = intakeStage()
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
    const { take, sink, clock, log, bridged } = intakeStage({ retryDelayMs: (attempt) => attempt * 100 })
    sink.failures.push(new EventLogUnavailableError('away'), new EventLogUnavailableError('away'))
    await take()
    expect(clock.sleeps).toEqual([100, 200])
    expect(sink.events).toHaveLength(1)
    expect(bridged).toHaveLength(1)
    expect(log.at('warn')).toEqual([expect.stringContaining('the broker keeps them')])
  })

  test('told to stop, it gives the message back', async () => {
    const { intake, sink, bridged } = intakeStage()
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
    const { take, sink, dead, bridged, clock } = intakeStage({ retryDelayMs: () => 1 })
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
    const { intake, dead } = intakeStage({ ingest, retryDelayMs: () => 1 })
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
    const { intake } = intakeStage({ ingest: { accept: async () => await never.promise } })
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
    const { intake, dead, log, sink } = intakeStage()
    await intake.take({ body: wire, routingKey: 'x', redelivered: false }, 'nova')
    expect(dead).toEqual([reason])
    expect(log.at('error')).toEqual([expect.stringContaining(reason)])
    expect(sink.events).toEqual([])
  })

  test('without a store events still cross the bridge', async () => {
    const { take, bridged } = intakeStage({ ingest: null })
    await take()
    expect(bridged).toHaveLength(1)
  })
})
