import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { expect, inject, test } from 'vitest'
import { isMock } from '../core/is-mock.ts'
import { scan } from '../core/scan.ts'
import type { Root } from '../core/roots.ts'
import { Project } from '../testing/project.ts'
import { baseFiles } from '../testing/dialects.ts'

test(
  'M-45 a suite of our own runs green with restore+fail and strict, and no allow entry',
  { timeout: 60_000 },
  async () => {
    const source = readFileSync(new URL('../core/scan.test.ts', import.meta.url), 'utf8')
    const core = new URL('../core/', import.meta.url).href
    using project = new Project({
      ...baseFiles('vitest-5'),
      // The tests of the scanner themselves, which make mocks of every kind, guarded by what they test.
      'test/scan.test.ts': source.replaceAll("from './", `from '${core.replace('file://', '')}`),
    })
    const run = await project.run('vitest-5', { env: { MOCKGUARD: 'restore+fail', MOCKGUARD_STRICT: '1' } })
    expect(run.findings).toEqual([])
    expect(run.tests.filter((one) => one.status !== 'passed').map((one) => `${one.name}: ${one.message}`)).toEqual([])
    expect(run.tests.length).toBeGreaterThan(20)
  },
)

test('M-45 the whole of this repository is guarded in that way', () => {
  const options: unknown = JSON.parse(inject('mockguard').json)
  expect(options).toEqual({ mode: 'restore+fail', strict: true })
})

test.each([
  [100, 10],
  [500, 30],
  [2_000, 80],
])('M-41 a walk of %i modules stays in its budget', (count, budgetMs) => {
  const roots = Array.from({ length: count }, (_, at): Root => {
    class Svc {
      static make(): number {
        return at
      }
      run(): number {
        return at
      }
    }
    return {
      label: `m${at}`,
      id: `m${at}`,
      exports: { Svc, svc: { send: () => at, nested: { call: () => at } }, shout: () => at },
    }
  })
  scan(roots, { depth: 2 })
  // Processor time, and the least of several: a busy machine makes single ones slow, never fast.
  const times = Array.from({ length: 9 }, () => {
    const started = process.cpuUsage()
    scan(roots, { depth: 2 })
    const { user, system } = process.cpuUsage(started)
    return (user + system) / 1_000
  })
  expect(Math.min(...times)).toBeLessThan(budgetMs)
})

// Loaded with the file, not in a test: one of them brings a library that patches `fs` when it is loaded.
const require = createRequire(import.meta.url)
const libraries = ['typescript/package.json', 'sinon', 'expect', 'fast-check'].map((id): Root => ({
  label: id,
  id,
  exports: require(id) as unknown,
}))

test('M-20 the libraries of this repository can be walked without a call or a crash', () => {
  const found = scan(libraries, { depth: 4 })
  expect(found.visited).toBeGreaterThan(100)
  expect(found.slots.every((slot) => isMock(slot.mock))).toBe(true)
})
