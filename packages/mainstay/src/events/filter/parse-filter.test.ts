import { anything, assert, property, string, array, constantFrom, record, option, oneof } from 'fast-check'
import { expect, test } from 'vitest'

import { toJson, parseJson, type Json } from '../../core/json.ts'
import { EVERYTHING, filterKey } from './event-filter.ts'
import { InvalidFilterError, filterQuery, parseFilter, parseFilterQuery } from './parse-filter.ts'

test('E-210 a missing or null list keeps the present one, an array replaces it, an empty one clears it', () => {
  const base = parseFilter({ event_filters: ['a'], node_filters: ['n'], service_filters: ['s'], min_severity: 'error' })
  expect(parseFilter({ event_filters: [], node_filters: null, min_severity: 'info' }, { base })).toEqual({
    ...base,
    event_filters: [],
    min_severity: 'info',
  })
  expect(parseFilter({}, { base })).toEqual(base)
})

test.each<[Json, RegExp]>([
  [{ event_filters: 'baremetal' }, /event_filters must be an array of texts, not "baremetal"/],
  [{ node_filters: 7 }, /node_filters must be an array/],
  [{ service_filters: {} }, /service_filters must be an array/],
  [{ event_filters: ['a', 1] }, /event_filters must hold texts only, not 1/],
  [{ project_ids: [null] }, /project_ids must hold texts only/],
  [{ resource_ids: true }, /resource_ids must be an array/],
  [{ min_severity: 'loud' }, /severity must be one of debug, info, warning, error, critical/],
  [{ min_severity: 30 }, /severity must be one of/],
  [{ event_filters: Array.from({ length: 65 }, () => 'a') }, /65 texts; 64 are allowed/],
  [{ node_filters: ['x'.repeat(257)] }, /257 letters; 256 are allowed/],
  [{ event_filters: ['*a'.repeat(20)], node_filters: ['?'.repeat(13)] }, /33 wildcards in all; 32 are allowed/],
  [[], /A filter is an object/],
  ['baremetal', /A filter is an object/],
  [null, /A filter is an object/],
])('E-210 refuses %j', (value, message) => {
  expect(() => parseFilter(value)).toThrow(InvalidFilterError)
  expect(() => parseFilter(value)).toThrow(message)
})

test('E-210 the limits take what is just within them', () => {
  const event_filters = ['*a'.repeat(32), ...Array.from({ length: 63 }, () => 'x'.repeat(256))]
  expect(parseFilter({ event_filters }).event_filters).toEqual(event_filters)
})

/** What a client could have sent of it. */
function throughJson(value: unknown): Json {
  try {
    return parseJson(toJson(value), 'the test')
  } catch {
    // Not every value can be written, a BigInt for example; null can.
    return null
  }
}

function attempt<T>(work: () => T): T | Error {
  try {
    return work()
  } catch (error) {
    return error as Error
  }
}

test('E-210 whatever JSON arrives gives a filter or an InvalidFilterError', () => {
  const list = oneof(array(string()), anything())
  const shape = record({ event_filters: list, node_filters: list, min_severity: anything(), resource_ids: list })
  assert(
    property(oneof(anything(), shape), (value) => {
      const json = throughJson(value)
      const outcome = attempt(() => parseFilter(json))
      expect(outcome instanceof InvalidFilterError ? Object.keys(EVERYTHING) : Object.keys(outcome)).toEqual(
        Object.keys(EVERYTHING),
      )
    }),
    { numRuns: 500 },
  )
})

test('R17 a query repeats its names; of several severities the lowest counts', () => {
  const query = new URLSearchParams(
    'event=a.*&event=b&node=n1&service=s&severity=error&severity=info&resource=r&project=p&correlation=c&since=latest',
  )
  expect(parseFilterQuery(query)).toEqual({
    event_filters: ['a.*', 'b'],
    node_filters: ['n1'],
    service_filters: ['s'],
    min_severity: 'info',
    resource_ids: ['r'],
    project_ids: ['p'],
    correlation_ids: ['c'],
  })
  expect(() => parseFilterQuery(new URLSearchParams('severity=loud'))).toThrow(InvalidFilterError)
})

test('R17 a filter written as a query is read back as it was', () => {
  const list = array(string({ maxLength: 20 }), { maxLength: 3 })
  const severity = option(constantFrom('debug', 'info', 'warning', 'error', 'critical'))
  assert(
    property(
      record({ event_filters: list, node_filters: list, correlation_ids: list, min_severity: severity }),
      (some) => {
        const limits = { textsPerList: 64, textLength: 256, wildcards: 1000 }
        const filter = parseFilter(some, { limits })
        expect(parseFilterQuery(filterQuery(filter), limits)).toEqual(filter)
      },
    ),
    { numRuns: 200 },
  )
})

test('R18 filters that let the same pass have one key', () => {
  const key = filterKey(parseFilter({ event_filters: ['a', 'b', 'a'] }))
  expect(filterKey(parseFilter({ event_filters: ['b', 'a'], min_severity: 'debug' }))).toBe(key)
  expect(filterKey(parseFilter({ node_filters: ['a', 'b'] }))).not.toBe(key)
})

test('R18 an empty list is not a list with an empty text', () => {
  expect(filterKey(parseFilter({ event_filters: [''] }))).not.toBe(filterKey(EVERYTHING))
})
