import { globSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

import { describe, expect, test } from 'vitest'

const ROOT = fileURLToPath(new URL('../', import.meta.url))
const read = (path: string): string => readFileSync(`${ROOT}/${path}`, 'utf8')

const COUNT = 76
const numbered = (text: string): string[] => text.match(/\bH-\d+\b/g) ?? []

/** The numbers in titles of tests: a title follows `test(` and the like, or begins a line of its own. */
const TITLE = /^\s*(?:test\b.*\()?['"`][^'"`]*\bH-\d.*/gm
const titled = globSync(['packages/testkit/src/**/*.test.ts', 'test/engines/testkit-*.test.ts'], { cwd: ROOT }).flatMap(
  (path) => (read(path).match(TITLE) ?? []).flatMap(numbered),
)

describe('the cases of the test kit (testkit.md A15)', () => {
  test.each(Array.from({ length: COUNT }, (_, index) => `H-${index + 1}`))('%s has a test', (number) => {
    expect(titled).toContain(number)
  })

  test('the page of the package names cases for each fault of the model (A2), and only such as there are', () => {
    const rows = read('packages/testkit/README.md')
      .split('\n')
      .filter((line) => /^\| D\d+ \|/.test(line))
    expect(rows.map((row) => /D\d+/.exec(row)?.[0])).toEqual(Array.from({ length: 18 }, (_, index) => `D${index + 1}`))
    expect(rows.filter((row) => numbered(row).length === 0)).toEqual([])
    expect(rows.flatMap(numbered).filter((number) => !titled.includes(number))).toEqual([])
  })
})
