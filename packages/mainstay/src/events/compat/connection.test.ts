import { describe, expect, test } from 'vitest'

import { InvalidFilterError } from '../filter/index.ts'
import { Connection } from './connection.ts'
import { EventMessage } from './event-message.ts'
import type { FilterChanges } from './filter-lists.ts'

const POWER = 'baremetal.node.power_set.end'

function passes(filters: FilterChanges, eventType: string, nodeName: string | null = null): boolean {
  const connection = new Connection()
  connection.update(filters)
  return connection.matches(new EventMessage(eventType, 'openstack', {}, nodeName))
}

describe('filters of a connection (event-stream 2)', () => {
  test.each([POWER, '', 'heartbeat', '.x.y'])('E-7 without filters %j passes', (eventType) => {
    expect(passes({}, eventType)).toBe(true)
    expect(passes({ eventFilters: [], nodeFilters: [], serviceFilters: [] }, eventType)).toBe(true)
  })

  test.each<[string, FilterChanges, string, string | null, boolean]>([
    ['E-8 its own type', { eventFilters: [POWER] }, POWER, null, true],
    ['E-9 another type', { eventFilters: ['compute.instance.update'] }, POWER, null, false],
    ['E-9 the type in other letters', { eventFilters: [POWER.toUpperCase()] }, POWER, null, false],
    ['E-9 a part of the type', { eventFilters: ['baremetal.node'] }, POWER, null, false],
    ['E-10 its own node', { nodeFilters: ['node-1'] }, POWER, 'node-1', true],
    ['E-11 another node', { nodeFilters: ['node-2'] }, POWER, 'node-1', false],
    ['E-12 a node, and it has none', { nodeFilters: ['node-1'] }, POWER, null, false],
    ['E-12 a node without a name, and it has none', { nodeFilters: [''] }, POWER, null, false],
    ['E-10 a node whose name is empty', { nodeFilters: [''] }, POWER, '', true],
    ['E-13 its own service', { serviceFilters: ['baremetal'] }, 'baremetal.node.power_set', null, true],
    ['E-14 another service', { serviceFilters: ['baremetal'] }, 'compute.instance.update', null, false],
    ['E-15 the unknown service, and no type', { serviceFilters: ['unknown'] }, '', null, true],
    ['E-15 the empty service, and a type that begins with a dot', { serviceFilters: [''] }, '.x.y', null, true],
    ['E-13 heartbeats, and a type of one segment', { serviceFilters: ['heartbeat'] }, 'heartbeat', null, true],
    ['E-16 its type but another node', { eventFilters: [POWER], nodeFilters: ['node-2'] }, POWER, 'node-1', false],
  ])('%s: asked for', (_what, filters, eventType, nodeName, expected) => {
    expect(passes(filters, eventType, nodeName)).toBe(expected)
  })

  const ASKED = ['unset', 'hit', 'miss'] as const
  const cells = ASKED.flatMap((events) =>
    ASKED.flatMap((nodes) => ASKED.map((services) => ({ events, nodes, services }))),
  )

  test.each(cells)('E-17 events $events, nodes $nodes, services $services', ({ events, nodes, services }) => {
    const list = (asked: (typeof ASKED)[number], hit: string): string[] =>
      asked === 'unset' ? [] : [asked === 'hit' ? hit : 'another']
    const filters = {
      eventFilters: list(events, POWER),
      nodeFilters: list(nodes, 'node-1'),
      serviceFilters: list(services, 'baremetal'),
    }
    expect(passes(filters, POWER, 'node-1')).toBe(![events, nodes, services].includes('miss'))
  })

  test.each<[string, FilterChanges]>([
    ['a text', { eventFilters: 'baremetal' }],
    ['a number', { nodeFilters: 7 }],
    ['an object', { serviceFilters: { a: 1 } }],
    ['a list with a number', { eventFilters: ['a', 1] }],
    ['a list of 65', { eventFilters: Array.from({ length: 65 }, () => 'a') }],
    ['a text of 257 letters', { nodeFilters: ['x'.repeat(257)] }],
  ])('E-210 %s is no filter, and what held before still holds', (_what, changes) => {
    const connection = new Connection()
    connection.update({ eventFilters: [POWER], nodeFilters: ['n'], serviceFilters: ['baremetal'] })
    expect(() => connection.update({ serviceFilters: ['changed'], ...changes })).toThrow(InvalidFilterError)
    expect(connection).toMatchObject({
      eventFilters: [POWER],
      nodeFilters: ['n'],
      serviceFilters: ['baremetal'],
    })
  })
})
