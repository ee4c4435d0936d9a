import { anything, assert, constantFrom, dictionary, oneof, property, record, string } from 'fast-check'
import { expect, test } from 'vitest'

import { toJson } from '../../core/json.ts'
import { DEFAULT_FILTER_LIMITS, EVERYTHING, filterKey } from '../filter/index.ts'
import { readClientMessage } from './client-message.ts'

const context = { present: EVERYTHING, limits: DEFAULT_FILTER_LIMITS }

test('E-210 whatever a client says is understood, or answered with a complaint', () => {
  const actions = constantFrom('subscribe', 'set_filters', 'refresh', 'dance')
  const message = record({
    action: oneof(actions, anything()),
    since: anything(),
    filters: oneof(anything(), dictionary(string(), anything())),
    policy: anything(),
    token: anything(),
    event_filters: anything(),
    min_severity: anything(),
  })
  const written = (value: unknown): string => {
    try {
      return toJson(value)
    } catch {
      // Not every value can be written; what cannot is no message.
      return 'null'
    }
  }
  assert(
    property(oneof(string(), message.map(written)), (text) => {
      const read = readClientMessage(text, context)
      const known = ['subscribe', 'set_filters', 'refresh', 'complaint']
      expect(known).toContain(read.action)
      if ('filter' in read) filterKey(read.filter)
    }),
    { numRuns: 1000 },
  )
})
