import { describe, expect, test } from 'vitest'

import { groupsFor } from './acquire-input.ts'
import { PoolGroupNotFoundError, PoolRequestImpossibleError } from './errors.ts'
import { groupRules } from './options.ts'

const groups = [
  groupRules({ id: 'a', labels: ['linux'], archs: ['x86_64'], draining: 'terminate' }),
  groupRules({ id: 'b', labels: ['linux', 'gpu'], archs: ['aarch64'] }),
  groupRules({ id: 'gone', labels: ['linux', 'old'], archs: ['s390x'], draining: 'terminate', retired: true }),
]

describe('which groups a request may be served from (vm-pool.md A5.7, C4)', () => {
  test.each([
    ['no wish', {}, ['a', 'b']],
    ['a label that a drained group carries too', { labels: ['linux'] }, ['a', 'b']],
    ['an architecture of a drained group alone', { arch: 'x86_64' }, ['a']],
    ['a group by its name', { groups: ['a'] }, ['a']],
    ['a group by its name that is gone', { groups: ['gone'] }, ['gone']],
    ['a group and a label', { groups: ['a', 'b'], labels: ['gpu'] }, ['b']],
  ])('C4 %s', (_what, wish, expected) => {
    expect(groupsFor(wish, { groups })).toEqual(expected)
  })

  test.each([
    ['a label that only a group had that is gone', { labels: ['old'] }, PoolRequestImpossibleError],
    ['a label that none carries', { labels: ['none'] }, PoolRequestImpossibleError],
    ['an architecture that only a group had that is gone', { arch: 's390x' }, PoolRequestImpossibleError],
    ['a group that never was', { groups: ['none'] }, PoolGroupNotFoundError],
  ])('C4 %s can never be served', (_what, wish, error) => {
    expect(() => groupsFor(wish, { groups })).toThrow(error)
  })
})
