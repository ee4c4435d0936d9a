import { globSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

import { expect, test } from 'vitest'

import { ACTIONS } from '../../packages/mainstay/src/ha/api/actions.ts'
import { defaultRules } from '../../packages/mainstay/src/ha/index.ts'

const SOURCES = fileURLToPath(new URL('../../packages/mainstay/src/', import.meta.url))

test('M333 policy rules are written down in one file', () => {
  const elsewhere = globSync('**/*.ts', { cwd: SOURCES })
    .filter((path) => path !== 'ha/policies.ts' && !path.includes('.test.'))
    .filter((path) => /['"]os_masakari_api:[^'"]+['"]\s*:/.test(readFileSync(SOURCES + path, 'utf8')))
  expect(elsewhere).toEqual([])
})

test('M334 every operation asks for a rule that is registered, and every rule is asked for or told of', () => {
  const asked = Object.values(ACTIONS).flatMap((verbs) => Object.values(verbs).map(({ policy }) => policy))
  const rules = Object.keys(defaultRules())
  expect(asked.filter((rule) => !rules.includes(rule))).toEqual([])
  const unused = rules.filter(
    (rule) => rule.startsWith('os_') && !asked.includes(rule) && !rule.endsWith(':discoverable'),
  )
  expect(unused).toEqual([])
})
