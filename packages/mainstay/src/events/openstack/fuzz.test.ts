import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { parseJson, toJson, type JsonObject } from '../../core/json.ts'
import { LogLines } from '../compat/testing/log-lines.ts'
import { RecordingClock } from '../compat/testing/recording-clock.ts'
import { isSeverity, serviceOf } from '../filter/index.ts'
import { prepareEvent } from '../prepare-event.ts'
import type { NewStreamEvent } from '../stream-event.ts'
import { NotificationIntake } from './notification-intake.ts'
import { notification } from './testing/notification.ts'

/** Whatever a broker delivers: it is stored as a sound event, or thrown away and counted; never anything else. */

const KEYS = ['ironic', 'nova', 'neutron', 'cinder', 'glance', 'keystone', 'masakari'].map(
  (name) => `${name}_object.data`,
)
const TYPES = [
  'baremetal',
  'compute',
  'nova',
  'network',
  'port',
  'volume',
  'snapshot',
  'image',
  'identity',
  'host',
  'x',
  '',
]

const eventType = fc.oneof(
  fc
    .tuple(fc.constantFrom(...TYPES), fc.array(fc.string({ maxLength: 8 }), { maxLength: 4 }))
    .map(([first, rest]) => [first, ...rest].join('.')),
  fc.string(),
)
const object = fc.dictionary(
  fc.oneof(
    fc.constantFrom('name', 'host', 'uuid', 'id', 'display_name', 'tenant_id', '__proto__', '_context_x'),
    fc.string(),
  ),
  fc.jsonValue(),
)
const payload = fc.oneof(
  fc.jsonValue(),
  object,
  fc.dictionary(fc.constantFrom(...KEYS, ...TYPES, 'target', 'initiator'), fc.oneof(object, fc.jsonValue())),
)
const members = fc.record(
  {
    event_type: fc.oneof(eventType, fc.jsonValue()),
    priority: fc.oneof(fc.constantFrom('INFO', 'error', 'SAMPLE'), fc.jsonValue()),
    timestamp: fc.oneof(fc.constant('2026-11-21 10:00:00.5'), fc.string(), fc.jsonValue()),
    publisher_id: fc.oneof(fc.string(), fc.jsonValue()),
    message_id: fc.oneof(fc.uuid(), fc.string(), fc.jsonValue()),
    payload,
    _context_auth_token: fc.constant('gAAAA-secret'),
  },
  { requiredKeys: [] },
)
const wire = fc.oneof(
  fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
  fc.json().map((text) => Buffer.from(text)),
  fc.string(),
  fc.anything(),
  members.map((made) => Buffer.from(toJson(made))),
  members.map((made) => Buffer.from(toJson({ 'oslo.version': '2.0', 'oslo.message': toJson(made) }))),
  members.map((made) => ({ 'oslo.message': made })),
  fc.jsonValue().map((made) => Buffer.from(toJson({ 'oslo.message': toJson(made) }))),
)

async function take(
  body: unknown,
  routingKey = 'notifications.info',
): Promise<{ stored: NewStreamEvent[]; dead: string[] }> {
  const stored: NewStreamEvent[] = []
  const dead: string[] = []
  const intake = new NotificationIntake({
    clock: new RecordingClock(),
    logger: new LogLines().logger,
    ingest: {
      accept: async (events) => {
        stored.push(...events.map((event) => prepareEvent(event)))
        return { duplicates: 0, spooled: false }
      },
    },
    bridge: { addEvent: async () => {} },
    baremetal: null,
    forwarder: null,
    onDeadLetter: (reason) => dead.push(reason),
  })
  await intake.take({ body, routingKey, redelivered: false }, 'nova')
  await intake.idle()
  return { stored, dead }
}

const textOrNull = expect.toSatisfy((value: unknown) => value === null || typeof value === 'string')

describe('fuzz: broker bodies', () => {
  test('every message is either one sound event or thrown away once', async () => {
    await fc.assert(
      fc.asyncProperty(wire, fc.string(), async (body, routingKey) => {
        const { stored, dead } = await take(body, routingKey)
        expect(stored.length + dead.length).toBe(1)
        for (const event of stored) {
          expect(event).toMatchObject({
            id: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/),
            source: 'openstack',
            service_type: serviceOf(event.event_type),
            node_name: textOrNull,
            resource_id: textOrNull,
            project_id: textOrNull,
            correlation_id: textOrNull,
            publisher_id: textOrNull,
            occurred_at: expect.stringMatching(/Z$/),
          })
          expect(isSeverity(event.severity)).toBe(true)
          const text = toJson(event)
          expect(parseJson(text, 'the event')).toEqual(event)
          expect(text).not.toContain('gAAAA-secret')
          expect(text.length).toBeLessThan(1024 * 1024 + 16_384)
        }
      }),
      { numRuns: 1000 },
    )
  })

  test('what is sent twice has the same id', async () => {
    await fc.assert(
      fc.asyncProperty(members, async (made) => {
        const body = Buffer.from(toJson(made))
        const [one, other] = [await take(body), await take(body)]
        expect(other.stored.map(({ id }) => id)).toEqual(one.stored.map(({ id }) => id))
      }),
      { numRuns: 200 },
    )
  })

  const MEGABYTE = 1024 * 1024

  test.each<[string, () => unknown, 'stored' | 'dead']>([
    ['brackets that never close', () => '['.repeat(MEGABYTE), 'dead'],
    ['half a megabyte of depth', () => `${'['.repeat(MEGABYTE / 2 - 1)}${']'.repeat(MEGABYTE / 2 - 1)}`, 'dead'],
    ['a deep payload', () => `{"event_type":"a","payload":${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}}`, 'dead'],
    [
      'a deep payload in an envelope',
      () => toJson({ 'oslo.message': `{"payload":${'['.repeat(9999)}${']'.repeat(9999)}}` }),
      'dead',
    ],
    [
      'an envelope in an envelope',
      () => toJson({ 'oslo.message': toJson({ 'oslo.message': toJson(notification()) }) }),
      'dead',
    ],
    ['a megabyte of names', () => toJson({ event_type: 'a', payload: wide(60_000) }), 'stored'],
    ['a type of a megabyte', () => toJson({ event_type: 'x'.repeat(MEGABYTE - 50), payload: {} }), 'stored'],
    ['a type of many segments', () => toJson({ event_type: '.'.repeat(500_000), payload: {} }), 'stored'],
    ['two megabytes', () => Buffer.alloc(2 * MEGABYTE, 0x20), 'dead'],
  ])('%s', async (_what, body, fate) => {
    const { stored, dead } = await take(body())
    expect([stored.length, dead.length]).toEqual(fate === 'stored' ? [1, 0] : [0, 1])
    expect(toJson(stored).length).toBeLessThan(2 * MEGABYTE)
  })

  function wide(count: number): JsonObject {
    return Object.fromEntries(Array.from({ length: count }, (_, index) => [`name-${index}`, 1]))
  }
})
