import { describe, expect, test } from 'vitest'

import type { Severity } from '../../core/event.ts'
import { EVERYTHING, type EventFilter } from './event-filter.ts'
import { matches, type FilteredEvent } from './match.ts'

const event = (fields: Partial<FilteredEvent> = {}): FilteredEvent => ({
  event_type: 'baremetal.node.power_set.end',
  node_name: 'node-1',
  severity: 'info',
  resource_id: 'r-1',
  project_id: 'p-1',
  correlation_id: 'req-1',
  ...fields,
})
const filter = (fields: Partial<EventFilter>): EventFilter => ({ ...EVERYTHING, ...fields })

describe('plain filters (event-stream.md section 2)', () => {
  const LIST = { unset: 0, hit: 1, miss: 2 } as const
  type State = keyof typeof LIST
  const states = Object.keys(LIST) as State[]
  const cells = states.flatMap((e) => states.flatMap((n) => states.map((s) => [e, n, s] as const)))

  test.each(cells)('R15 event %s, node %s, service %s: true unless one misses', (e, n, s) => {
    const list = (state: State, hit: string): string[] => [[], [hit], ['other']][LIST[state]]!
    const asked = filter({
      event_filters: list(e, 'baremetal.node.power_set.end'),
      node_filters: list(n, 'node-1'),
      service_filters: list(s, 'baremetal'),
    })
    expect(matches(asked, event())).toBe(![e, n, s].includes('miss'))
  })

  test.each([
    ['', ['unknown'], true],
    ['', [''], false],
    ['.x.y', [''], true],
    ['heartbeat', ['heartbeat'], true],
    ['heartbeat', ['baremetal'], false],
    ['Baremetal.x', ['baremetal'], false],
  ])('R15 the service of "%s" against %j: %s', (event_type, service_filters, expected) => {
    expect(matches(filter({ service_filters }), event({ event_type }))).toBe(expected)
  })

  test('R15 an event without a node name fits no plain node filter, an empty name is a name', () => {
    expect(matches(filter({ node_filters: ['null', ''] }), event({ node_name: null }))).toBe(false)
    expect(matches(filter({ node_filters: [''] }), event({ node_name: '' }))).toBe(true)
  })
})

describe('patterns (E-209)', () => {
  const types = ['baremetal.node.power_set.end', 'baremetal.node', 'baremetal.port.create.end'] as const

  test.each([
    ['baremetal.node.*', true, false, false],
    ['baremetal.*.create.end', false, false, true],
    ['baremetal.**', true, true, true],
    ['**.end', true, false, true],
    ['*.node.power_*.end', true, false, false],
    ['!baremetal.node.power_set.*', false, true, true],
    // Beyond the table of R15: the same rules at their edges.
    ['*', true, true, true],
    ['**', true, true, true],
    ['baremetal', false, false, false],
    ['baremetal.nod?', false, true, false],
    ['baremetal.nod?.**', true, true, false],
    ['baremetal.**.end', true, false, true],
    ['**.node.**', true, true, false],
    ['baremetal.node.**.**', true, true, false],
    ['*.*', true, true, true],
    ['baremetal.node.*.*', true, false, false],
    ['baremetal.node.*.*.*', false, false, false],
    ['!baremetal.node', true, false, true],
    ['!**', false, false, false],
    ['baremetal.node.power_se+.end', false, false, false],
  ])('E-209 R15 %s', (pattern, ...expected) => {
    const asked = filter({ event_filters: [pattern] })
    expect(types.map((event_type) => matches(asked, event({ event_type })))).toEqual(expected)
  })

  test('R15 one list: any positive pattern includes, any negative one excludes', () => {
    const asked = filter({ event_filters: ['baremetal.**', 'image.create', '!**.end'] })
    const passes = (event_type: string): boolean => matches(asked, event({ event_type }))
    expect(['baremetal.node', 'image.create', 'baremetal.x.end', 'image.update'].map(passes)).toEqual([
      true,
      true,
      false,
      false,
    ])
  })

  test.each([
    ['comp*', 'compute-1', true],
    ['comp*', 'compute-1.example.org', true],
    ['*.example.org', 'compute-1.example.org', true],
    ['compute-?', 'compute-12', false],
    ['!comp*', 'compute-1', false],
    ['!comp*', 'network-1', true],
    ['!comp*', null, true],
    ['*', null, false],
  ])('R15 node pattern %s against %s: %s', (pattern, node_name, expected) => {
    expect(matches(filter({ node_filters: [pattern] }), event({ node_name }))).toBe(expected)
  })
})

describe('further fields (R16)', () => {
  test.each<[Severity, Severity, boolean]>([
    ['debug', 'debug', true],
    ['warning', 'info', false],
    ['warning', 'warning', true],
    ['warning', 'critical', true],
    ['critical', 'error', false],
  ])('R16 at least %s, an event of %s: %s', (min_severity, severity, expected) => {
    expect(matches(filter({ min_severity }), event({ severity }))).toBe(expected)
  })

  test.each([
    ['resource_ids', 'r-1'],
    ['project_ids', 'p-1'],
    ['correlation_ids', 'req-1'],
  ] as const)('R16 %s holds plain texts, and a missing one never fits', (name, value) => {
    const absent = { resource_id: null, project_id: null, correlation_id: null }
    expect(matches(filter({ [name]: ['x', value] }), event())).toBe(true)
    expect(matches(filter({ [name]: ['x'] }), event())).toBe(false)
    expect(matches(filter({ [name]: ['*'] }), event())).toBe(false)
    expect(matches(filter({ [name]: [value] }), event(absent))).toBe(false)
  })
})
