import { beforeAll, describe, expect, test } from 'vitest'
import { baseFiles, dialects, hostileModule, isJest, testFile } from '../testing/dialects.ts'
import type { Dialect } from '../testing/dialects.ts'
import { Project } from '../testing/project.ts'
import type { RunOutcome } from '../testing/project.ts'
import { coreCases } from './core-cases.ts'
import type { CoreCase } from './core-cases.ts'

/**
 * One real project for each runner, one real run; every case is a test, followed by one that does nothing and must not
 * be blamed. The guard restores what it finds, so that a dozen cases can share a file: what it could not restore would
 * show in the cases after it.
 */
const casesPerFile = 12

const prelude = (d: Dialect): string => `
const later = []
afterEach(() => { for (const spy of later.splice(0)) ${d.restore('spy')} })
const shared = ${d.fn}
`

const fileOf = (one: CoreCase): string =>
  `test/${one.wide === true ? 'wide' : 'group'}-${Math.floor(coreCases.indexOf(one) / casesPerFile)}.test.js`
const nextOf = (one: CoreCase): string => `the test after case ${coreCases.indexOf(one)}`

function files(d: Dialect, wide: boolean): Record<string, string> {
  const imports = [
    d.imports('Base, Svc, Outer, svc, single, handlers, bus, heard, pipe, shout', '../src/svc.js'),
    wide ? d.imports('touches', '../src/hostile.js') : '',
    d.imports('svc as svcAgain', '../src/index.js'),
    isJest(d.runner)
      ? 'const { stub } = { stub: (o, k, f) => { const b = o[k]; o[k] = f; return { calls: [], [Symbol.dispose]() { o[k] = b } } } }'
      : "import { stub } from '@mainstay/mockguard/using'",
    d.runner === 'jest' ? "const sinon = require('sinon')" : "import sinon from 'sinon'",
    d.runner.startsWith('vitest') ? "import * as ns from '../src/svc.js'" : '',
  ].join('\n')
  const bodies = new Map<string, string[]>()
  for (const one of coreCases.filter((each) => (each.wide === true) === wide)) {
    const body = one.body(d)
    if (body === null) continue
    const name = JSON.stringify(`${one.id} ${one.title}`)
    const lines = bodies.get(fileOf(one)) ?? [prelude(d)]
    lines.push(`test(${name}, async (t) => { ${body} })`, `test(${JSON.stringify(nextOf(one))}, () => {})`)
    bodies.set(fileOf(one), lines)
  }
  return Object.fromEntries([...bodies].map(([file, lines]) => [file, testFile(d, imports, lines.join('\n'))]))
}

const wideEnvironment = { MOCKGUARD_SCAN: 'test', MOCKGUARD_DEPTH: '3', MOCKGUARD_STRICT: '1' }

describe.each(dialects.map((d) => ({ runner: d.runner, d })))('$runner', { timeout: 120_000 }, ({ d }) => {
  let findings: RunOutcome['findings']
  let tests: RunOutcome['tests']

  beforeAll(async () => {
    const runs: RunOutcome[] = []
    for (const wide of [false, true]) {
      using project = new Project({
        ...baseFiles(d.runner),
        'src/hostile.js': hostileModule(d.runner),
        ...files(d, wide),
      })
      const env = { MG_GIVEN: 'given', MOCKGUARD: 'restore+fail', ...(wide ? wideEnvironment : {}) }
      runs.push(await project.run(d.runner, { env, args: d.runner === 'node:test' ? ['test/*.test.js'] : [] }))
    }
    findings = runs.flatMap((run) => run.findings)
    tests = runs.flatMap((run) => run.tests)
  }, 120_000)

  test('M-1 no test is blamed but those that left something', () => {
    expect(findings.filter((finding) => finding.test === null || finding.test.startsWith('the test after'))).toEqual([])
  })

  const applicable = coreCases.filter((one) => one.body(d) !== null)

  const told = (one: CoreCase) => {
    const name = `${one.id} ${one.title}`
    const outcomes = tests.filter((test) => test.file === fileOf(one))
    const mine = findings.filter((finding) => finding.file === fileOf(one) && finding.test === name)
    return {
      findings: mine.map(({ path, kind, scope, also, restored }) => ({ path, kind, scope, also, restored })),
      status: outcomes.find((test) => test.name === name)?.status,
      namedInError: outcomes.find((test) => test.name === name)?.message.includes(`Dangling mock: ${mine[0]?.path}`),
      next: outcomes.find((test) => test.name === nextOf(one))?.status,
    }
  }

  const clean = applicable.filter((one) => one.expected === 'clean')
  test.each(clean.map((one) => ({ one, name: `${one.id} ${one.title}` })))('$name is clean', ({ one }) => {
    expect(told(one)).toEqual({ findings: [], status: 'passed', namedInError: false, next: 'passed' })
  })

  const leaking = applicable.flatMap((one) =>
    one.expected === 'clean' ? [] : [{ one, expected: one.expected, name: `${one.id} ${one.title}` }],
  )
  test.each(leaking)('$name is named', ({ expected, one }) => {
    const { findings: mine, ...rest } = told(one)
    expect(rest).toEqual({ status: 'failed', namedInError: true, next: 'passed' })
    const [finding, ...others] = mine
    expect(others.map(({ path }) => path)).toEqual(expected.others ?? [])
    expect(finding?.path).toMatch(
      expected.path instanceof RegExp ? expected.path : new RegExp(`^${RegExp.escape(expected.path)}$`),
    )
    expect(finding).toMatchObject({ kind: expected.kind, scope: 'test', restored: true })
    expect(finding?.also).toEqual(expect.arrayContaining([...(expected.also ?? [])]))
  })
})
