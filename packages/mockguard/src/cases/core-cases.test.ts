import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { baseFiles, dialects, testFile } from '../testing/dialects.ts'
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

const fileOf = (index: number): string => `test/group-${Math.floor(index / casesPerFile)}.test.js`
const nextOf = (index: number): string => `the test after case ${index}`

function files(d: Dialect): Record<string, string> {
  const imports = [
    d.imports('Base, Svc, Outer, svc, single, bus, shout', '../src/svc.js'),
    d.imports('svc as svcAgain', '../src/index.js'),
    d.runner === 'jest'
      ? 'const { stub } = { stub: (o, k, f) => { const b = o[k]; o[k] = f; return { calls: [], [Symbol.dispose]() { o[k] = b } } } }'
      : "import { stub } from '@mainstay/mockguard/using'",
    d.runner === 'jest' ? "const sinon = require('sinon')" : "import sinon from 'sinon'",
    d.runner.startsWith('vitest') ? "import * as ns from '../src/svc.js'" : '',
  ].join('\n')
  const bodies = new Map<string, string[]>()
  for (const [index, one] of coreCases.entries()) {
    const body = one.body(d)
    if (body === null || one.env) continue
    const name = JSON.stringify(`${one.id} ${one.title}`)
    const lines = bodies.get(fileOf(index)) ?? [prelude(d)]
    lines.push(`test(${name}, async (t) => { ${body} })`, `test(${JSON.stringify(nextOf(index))}, () => {})`)
    bodies.set(fileOf(index), lines)
  }
  return Object.fromEntries([...bodies].map(([file, lines]) => [file, testFile(d, imports, lines.join('\n'))]))
}

describe.each(dialects.map((d) => ({ runner: d.runner, d })))('$runner', { timeout: 120_000 }, ({ d }) => {
  let project: Project
  let run: RunOutcome

  beforeAll(async () => {
    project = new Project({ ...baseFiles(d.runner), ...files(d) })
    const env = { MG_GIVEN: 'given', MOCKGUARD: 'restore+fail' }
    run = await project.run(d.runner, { env, args: d.runner === 'node:test' ? ['test/*.test.js'] : [] })
  }, 120_000)
  afterAll(() => project[Symbol.dispose]())

  test('M-1 no test is blamed but those that left something', () => {
    expect(
      run.findings.filter((finding) => finding.test === null || finding.test.startsWith('the test after')),
    ).toEqual([])
  })

  const applicable = coreCases.flatMap((one, index) => (one.body(d) === null ? [] : [{ ...one, index }]))

  const told = (one: CoreCase & { index: number }) => {
    const name = `${one.id} ${one.title}`
    const outcomes = run.tests.filter((test) => test.file === fileOf(one.index))
    const findings = run.findings.filter((finding) => finding.file === fileOf(one.index) && finding.test === name)
    return {
      findings: findings.map(({ path, kind, scope, also, restored }) => ({ path, kind, scope, also, restored })),
      status: outcomes.find((test) => test.name === name)?.status,
      namedInError: outcomes
        .find((test) => test.name === name)
        ?.message.includes(`Dangling mock: ${findings[0]?.path}`),
      next: outcomes.find((test) => test.name === nextOf(one.index))?.status,
    }
  }

  const clean = applicable.filter((one) => one.expected === 'clean')
  test.each(clean.map((one) => ({ ...one, name: `${one.id} ${one.title}` })))('$name is clean', (one) => {
    expect(told(one)).toEqual({ findings: [], status: 'passed', namedInError: false, next: 'passed' })
  })

  const leaking = applicable.flatMap((one) =>
    one.expected === 'clean' || one.env ? [] : [{ ...one, expected: one.expected, name: `${one.id} ${one.title}` }],
  )
  test.each(leaking)('$name is named', ({ expected, ...one }) => {
    const { findings, ...rest } = told({ ...one, expected })
    expect(rest).toEqual({ status: 'failed', namedInError: true, next: 'passed' })
    expect(findings).toHaveLength(1)
    const [finding] = findings
    expect(finding?.path).toMatch(
      expected.path instanceof RegExp ? expected.path : new RegExp(`^${RegExp.escape(expected.path)}$`),
    )
    expect(finding).toMatchObject({ kind: expected.kind, scope: 'test', restored: true })
    expect(finding?.also).toEqual(expect.arrayContaining([...(expected.also ?? [])]))
  })
})
