import { describe, expect, test } from 'vitest'

import { parseJson } from '../../core/json.ts'
import { parseTimestamp } from '../../core/timestamp.ts'
import { EventMessage } from './event-message.ts'

const UUID_4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

describe('EventMessage (event-stream 1)', () => {
  test('E-1 holds what it was made with', () => {
    const message = new EventMessage('baremetal.node.power_set.end', 'openstack', { a: 1 }, 'node-1')
    expect(message).toMatchObject({
      event_type: 'baremetal.node.power_set.end',
      source: 'openstack',
      data: { a: 1 },
      node_name: 'node-1',
    })
  })

  test('E-2 has no node unless told', () => {
    expect(new EventMessage('a.b', 'openstack', {}).node_name).toBeNull()
  })

  test('E-3 has an id of its own', () => {
    const [one, other] = [new EventMessage('a', 's', {}), new EventMessage('a', 's', {})]
    expect(one.id).toMatch(UUID_4)
    expect(other.id).toMatch(UUID_4)
    expect(one.id).not.toBe(other.id)
  })

  test('E-4 has a time in UTC with at least three digits of a second', () => {
    const { timestamp } = new EventMessage('a', 's', {})
    expect(timestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3,}Z$/)
    expect(parseTimestamp(timestamp.slice(0, -1))).toBeDefined()
  })

  test('E-5 becomes an object of exactly six members, in their order', () => {
    const message = new EventMessage('a.b', 's', { x: { y: null } }, 'n')
    const dict = message.toDict()
    expect(Object.keys(dict)).toEqual(['id', 'timestamp', 'event_type', 'source', 'node_name', 'data'])
    expect(message).toMatchObject(dict)
  })

  test('E-6 becomes JSON that says the same', () => {
    const message = new EventMessage('a.b', 's', { x: [1, 'ü', null, { y: true }] })
    expect(parseJson(message.toJson(), 'a frame')).toEqual(message.toDict())
  })

  test('R2 keeps an id and a time that it is given', () => {
    const stamp = { id: 'a2b6b1ac-6e0c-4f0c-9f43-0e37ff9b0e07', timestamp: '2026-01-01T00:00:00.000Z' }
    expect(new EventMessage('a', 's', {}, null, stamp)).toMatchObject(stamp)
  })
})
