import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { isAllowed, type Check, type Credentials } from './check.ts'
import { parseRule } from './parse.ts'

function asks(rule: unknown, fields: Credentials = {}): boolean {
  return isAllowed(parseRule(rule), {
    target: { project_id: 'p1', user_id: 'u1' },
    credentials: { roles: [], is_admin: false, project_id: 'p1', ...fields },
    rule: (name) => (name === 'yes' ? parseRule('@') : name === 'circle' ? parseRule('rule:circle') : undefined),
  })
}

describe('the rule language (ha-api 4.3)', () => {
  test.each([
    ['@', {}, true],
    ['!', {}, false],
    ['', {}, true],
    [[], {}, true],
    ['role:admin', { roles: ['Admin'] }, true],
    ['role:admin', { roles: ['member'] }, false],
    ['role:a or role:b', { roles: ['b'] }, true],
    ['role:a and role:b', { roles: ['b'] }, false],
    ['role:a or role:b and role:c', { roles: ['a'] }, true],
    ['(role:a or role:b) and role:c', { roles: ['a'] }, false],
    ['not role:a', { roles: [] }, true],
    ['not role:a and role:b', { roles: ['b'] }, true],
    ['not (role:a or role:b)', { roles: ['b'] }, false],
    ['role:a AND NOT role:b', { roles: ['a'] }, true],
    ['rule:yes', {}, true],
    ['rule:nowhere', {}, false],
    ['rule:circle', {}, false],
    ['not rule:circle', {}, true],
    ['is_admin:True', { is_admin: true }, true],
    ['is_admin:True', { is_admin: false }, false],
    ['project_id:%(project_id)s', {}, true],
    ['project_id:%(project_id)s', { project_id: 'p2' }, false],
    ['project_id:%(missing)s', {}, false],
    ["'p1':%(project_id)s", {}, true],
    ["'p2':%(project_id)s", {}, false],
    ['True:True', {}, true],
    ['token.project.id:p9', { token: { project: { id: 'p9' } } }, true],
    ['token.none.id:p9', { token: {} }, false],
    ['groups:g2', { groups: ['g1', 'g2'] }, true],
    ['system_scope:all', { system_scope: 'all' }, true],
    ['user_id:None', { user_id: null }, true],
    [[['role:a', 'role:b'], ['role:c']], { roles: ['c'] }, true],
    [[['role:a', 'role:b'], ['role:c']], { roles: ['a'] }, false],
    [['role:a'], { roles: ['a'] }, true],
  ])('%j for %j is %s', (rule, fields, expected) => {
    expect(asks(rule, fields)).toBe(expected)
  })

  test.each(['role:a or', 'and role:a', '(role:a', 'role:a)', 'role', ':x', 'role:a role:b', 'http:', 'https:///', 5])(
    '%j is refused',
    (rule) => {
      expect(() => parseRule(rule)).toThrow(/rule|check/i)
    },
  )

  test('text made of any tree means what the tree means', () => {
    const leaf = fc.constantFrom('role:a', 'role:b', 'role:c', '@', '!')
    const tree = fc.letrec<{ tree: string }>((tie) => ({
      tree: fc.oneof(
        { maxDepth: 4 },
        leaf,
        fc.tuple(tie('tree'), tie('tree')).map(([a, b]) => `(${a} and ${b})`),
        fc.tuple(tie('tree'), tie('tree')).map(([a, b]) => `( ${a} or ${b} )`),
        tie('tree').map((a) => `not (${a})`),
      ),
    })).tree
    fc.assert(
      fc.property(tree, fc.subarray(['a', 'b', 'c']), (text, roles) => {
        expect(asks(text, { roles })).toBe(evaluate(parseRule(text), roles))
      }),
    )
  })
})

/** The meaning of a tree, written independently of the code under test. */
function evaluate(check: Check, roles: readonly string[]): boolean {
  if (check.kind === 'not') return !evaluate(check.check, roles)
  if (check.kind === 'and') return check.checks.every((each) => evaluate(each, roles))
  if (check.kind === 'or') return check.checks.some((each) => evaluate(each, roles))
  if (check.kind === 'role') return roles.includes(check.name)
  return check.kind === 'always'
}
