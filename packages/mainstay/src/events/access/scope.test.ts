import { expect, test } from 'vitest'

import { inScope, scopeKey, scopeOf } from './scope.ts'

const caller = { isAdmin: false, roles: ['member'], projectId: 'p1' }

test.each([
  ['an admin', { ...caller, isAdmin: true }, [true, true, true]],
  ['a reader of all', { ...caller, roles: ['events:read:all'] }, [true, true, true]],
  ['a member', caller, [true, false, false]],
  ['somebody without a project', { ...caller, projectId: null }, [false, false, false]],
])('R31 %s sees own, foreign and unowned events: %j', (_who, context, expected) => {
  const scope = scopeOf(context)
  expect(['p1', 'p2', null].map((project_id) => inScope(scope, { project_id }))).toEqual(expected)
})

test('R31 equal scopes have equal keys, and all is no project', () => {
  expect(scopeKey({ all: false, projects: ['b', 'a', 'b'] })).toBe(scopeKey({ all: false, projects: ['a', 'b'] }))
  expect(scopeKey({ all: true })).not.toBe(scopeKey({ all: false, projects: ['*'] }))
})
