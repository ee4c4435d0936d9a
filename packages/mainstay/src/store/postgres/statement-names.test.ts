import { expect, test } from 'vitest'

import { StatementNames } from './statement-names.ts'

test('a text that comes again has a name of its own, one that comes once has none', () => {
  const names = new StatementNames()
  expect(names.nameOf('select 1')).toBeUndefined()
  const first = names.nameOf('select 1')
  expect(first).toBeDefined()
  expect(names.nameOf('select 1')).toBe(first)
  names.nameOf('select 2')
  expect(names.nameOf('select 2')).not.toBe(first)
})

test('however many texts come, the server keeps a bounded number of plans', () => {
  const names = new StatementNames()
  const given = new Set<string>()
  for (let text = 0; text < 5000; text += 1) {
    names.nameOf(`select ${text}`)
    const name = names.nameOf(`select ${text}`)
    if (name !== undefined) given.add(name)
  }
  expect(given.size).toBe(200)
})
