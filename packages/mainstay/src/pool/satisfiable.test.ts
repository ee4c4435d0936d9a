import { describe, expect, test } from 'vitest'

import { InvalidInputError } from '../core/errors.ts'
import { PoolGroupNotFoundError, PoolRequestImpossibleError } from './errors.ts'
import { groupRules, poolRules } from './options.ts'
import type { AcquireRequest } from './request.ts'
import { checkSatisfiable, groupsWithLabels } from './satisfiable.ts'

const groups = [
  groupRules({ id: 'a', labels: ['small', 'x86'], maxTotal: 4, maxPerUser: 0 }),
  groupRules({ id: 'b', labels: ['small'], maxTotal: 0, maxPerUser: 3 }),
]
const pool = poolRules({ maxHeldPerUser: 6, maxHeldPerArch: { arm: 1 } })
const request = { id: 'r', groups: ['a'], owner: 'bob', sandbox: 's', worker: 'w', leaseToken: 't' }

/** The class of the error with which a request is refused; null when it is not. */
function refusalOf(asked: AcquireRequest): unknown {
  try {
    checkSatisfiable(asked, { pool, groups })
    return null
  } catch (error) {
    return (error as Error).constructor
  }
}

describe('what can never be served is refused at once (vm-pool.md C4)', () => {
  test.each([
    [{}, null],
    [{ count: 4 }, null],
    [{ count: 5 }, PoolRequestImpossibleError],
    [{ count: 6, groups: ['a', 'b'] }, null],
    [{ count: 7, groups: ['a', 'b'] }, PoolRequestImpossibleError],
    [{ count: 2, arch: 'arm' }, PoolRequestImpossibleError],
    [{ count: 2, arch: 'x86_64' }, null],
    [{ groups: [] }, PoolRequestImpossibleError],
    [{ groups: ['a', 'c'] }, PoolGroupNotFoundError],
    [{ count: 1.5 }, InvalidInputError],
    [{ count: 1001 }, InvalidInputError],
    [{ priority: -1 }, InvalidInputError],
    [{ weight: 0 }, InvalidInputError],
  ])('%j', (fields, error) => {
    expect(refusalOf({ ...request, ...fields })).toBe(error)
  })

  test('labels name the groups that carry all of them, in the order of preference', () => {
    expect(groupsWithLabels(['small'], groups)).toEqual(['a', 'b'])
    expect(groupsWithLabels(['x86', 'small'], groups)).toEqual(['a'])
    expect(() => groupsWithLabels(['gpu'], groups)).toThrow(/no group of the pool carries the labels gpu/)
  })
})
