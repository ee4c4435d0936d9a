import { CloudEvent, HTTP } from 'cloudevents'
import { assert, constantFrom, dictionary, integer, jsonValue, option, property, record, string } from 'fast-check'
import { describe, expect, test } from 'vitest'

import { parseJson, type JsonObject } from '../../core/json.ts'
import { streamEvent } from '../testing/stream-event.ts'
import { cloudEventBatch, formatCloudEvent, toCloudEvent } from './cloudevents.ts'

/** Reads events as a receiver with the official SDK does; it throws when one breaks the specification. */
function received(text: string, mode: 'event' | 'batch' = 'event'): Record<string, unknown>[] {
  const type = mode === 'event' ? 'application/cloudevents+json' : 'application/cloudevents-batch+json'
  const events = [HTTP.toEvent({ headers: { 'content-type': type }, body: text })].flat() as unknown[]
  return events.map((event) => {
    if (!(event instanceof CloudEvent)) throw new Error('The SDK made something else of it.')
    event.validate()
    return JSON.parse(JSON.stringify(event)) as Record<string, unknown>
  })
}

describe('an event as a CloudEvent (R25, E-217)', () => {
  test('E-217 is taken by the official SDK, with every attribute that R25 names', () => {
    const event = streamEvent(42, { event_type: 'baremetal.node.power_set.end', severity: 'warning' })
    expect(received(formatCloudEvent(event))).toEqual([
      {
        specversion: '1.0',
        id: event.id,
        source: '/openstack/RegionOne/ironic-conductor:host-1',
        type: 'org.openstack.baremetal.node.power_set.end',
        time: '2026-01-01T00:00:00.000Z',
        subject: 'r-1',
        datacontenttype: 'application/json',
        sequence: '0000000000000042',
        severitytext: 'WARN',
        severitynumber: 13,
        epoch: 'e1',
        nodename: 'node-1',
        servicetype: 'baremetal',
        partitionkey: 'r-1',
        data: event.data,
      },
    ])
  })

  test.each([
    ['debug', 'DEBUG', 5],
    ['info', 'INFO', 9],
    ['warning', 'WARN', 13],
    ['error', 'ERROR', 17],
    ['critical', 'FATAL', 21],
  ] as const)('R25 severity %s is %s, %i', (severity, severitytext, severitynumber) => {
    expect(toCloudEvent(streamEvent(1, { severity }))).toMatchObject({ severitytext, severitynumber })
  })

  test.each([
    ['r-1', 'node-1', 'r-1', 'r-1'],
    [null, 'node-1', 'node-1', undefined],
    ['', 'node-1', 'node-1', undefined],
    [null, null, undefined, undefined],
  ])('R25 resource %s on node %s has the subject %s', (resource_id, node_name, subject, partitionkey) => {
    const made = toCloudEvent(streamEvent(1, { resource_id, node_name }))
    expect([made['subject'], made['partitionkey']]).toEqual([subject, partitionkey])
    received(formatCloudEvent(streamEvent(1, { resource_id, node_name })))
  })

  test('R25 the region and the prefix can be chosen, and our own events do not pass for those of OpenStack', () => {
    const own = streamEvent(1, { source: 'mainstay', event_type: 'recovery.host.fenced', publisher_id: null })
    expect(toCloudEvent(own)).toMatchObject({
      source: '/mainstay/RegionOne/unknown',
      type: 'org.mainstay.recovery.host.fenced',
    })
    expect(toCloudEvent(own, { region: 'a b/c', typePrefix: 'com.example.' })).toMatchObject({
      source: '/mainstay/a%20b%2Fc/unknown',
      type: 'com.example.recovery.host.fenced',
    })
  })

  test('E-217 whatever an event holds, the SDK takes it and reads the same data', () => {
    const text = option(string(), { nil: null })
    const fields = record({
      event_type: string(),
      node_name: text,
      resource_id: text,
      publisher_id: text,
      data: dictionary(string(), jsonValue()),
      severity: constantFrom('debug', 'info', 'warning', 'error', 'critical'),
    })
    assert(
      property(integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), fields, (seq, given) => {
        const data = parseJson(JSON.stringify(given.data), 'data') as JsonObject
        const event = streamEvent(seq, { ...given, data })
        expect(received(formatCloudEvent(event))).toMatchObject([{ id: event.id, data }])
      }),
    )
  })

  test('E-217 sequence sorts as text as the places sort as numbers', () => {
    const place = integer({ min: 1, max: Number.MAX_SAFE_INTEGER })
    const sequence = (seq: number): string => toCloudEvent(streamEvent(seq))['sequence'] as string
    assert(
      property(place, place, (a, b) => {
        expect(Math.sign(a - b)).toBe(sequence(a) < sequence(b) ? -1 : sequence(a) > sequence(b) ? 1 : 0)
      }),
    )
    expect(sequence(Number.MAX_SAFE_INTEGER)).toHaveLength(16)
  })

  test('R25 a batch is taken by the SDK, also an empty one', () => {
    const body = cloudEventBatch([1, 2].map((seq) => formatCloudEvent(streamEvent(seq))))
    const sequences = received(body, 'batch').map((event) => event['sequence'])
    expect(sequences).toEqual(['0000000000000001', '0000000000000002'])
    expect(cloudEventBatch([])).toBe('[]')
  })
})
