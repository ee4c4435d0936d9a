import { beforeAll, describe, expect, test } from 'vitest'
import { baseFiles, dialects, isJest } from '../testing/dialects.ts'
import type { Dialect } from '../testing/dialects.ts'
import { Project } from '../testing/project.ts'
import type { RunOutcome, Runner } from '../testing/project.ts'

/**
 * What control-flow.test.ts shows for Vitest, for the other runners, as far as they have it (testkit.md M-24 … M-35): one
 * project and one run for each, a file for each row.
 */
interface Row {
  readonly title: string
  readonly file: string
  /** The file after its imports; null where the runner has no such thing. */
  readonly body: (d: Dialect) => string | null
  /** `test: path`, `file: path`. */
  readonly findings: readonly string[]
  readonly check?: (of: Outcome, d: Dialect) => void
}

interface Outcome {
  readonly run: RunOutcome
  readonly file: string
  status(name: string): string | undefined
  message(name: string): string
  failed(): boolean
}

const head = (d: Dialect): string => {
  if (d.runner === 'jest') return `const { Svc, svc, single } = require('../src/svc.js')\n`
  const runner =
    d.runner === 'jest-esm'
      ? `import { jest } from '@jest/globals'`
      : `import { after as afterAll, afterEach, before as beforeAll, beforeEach, describe, mock, test } from 'node:test'`
  return `${runner}\nimport { Svc, svc, single } from '../src/svc.js'\n`
}

const ifJest = (d: Dialect, body: string): string | null => (isJest(d.runner) ? body : null)
const ifNode = (d: Dialect, body: string): string | null => (d.runner === 'node:test' ? body : null)
const turn = `const turn = (ms = 5) => new Promise((resolve) => setTimeout(resolve, ms))\n`

const rows: readonly Row[] = [
  {
    title: 'M-24 a spy of beforeEach is the test’s, and the hook is where it was created',
    file: 'before-each',
    body: (d) =>
      `beforeEach(() => {\n${d.spy('svc', 'send')} })\ntest('a test of a file whose beforeEach spies', () => {})`,
    findings: ['a test of a file whose beforeEach spies: src/svc.js#svc.send'],
    check: ({ run, file }, d) =>
      expect(run.findings.find((one) => one.file === file)?.createdAt).toBe(
        `${file}:${head(d).split('\n').length + 1}`,
      ),
  },
  {
    title: 'M-24 a spy of beforeAll is the file’s, unless afterAll undoes it',
    file: 'before-all',
    body: (d) =>
      `describe('left', () => { beforeAll(() => { ${d.spy('svc', 'send')} }); test('inside left', () => {}) })
describe('undone', () => { let s; beforeAll(() => { s = ${d.spy('Svc', 'make')}; process.env.MG_HOOK = '1' }); afterAll(() => { ${d.restore('s')}; delete process.env.MG_HOOK }); test('inside undone', () => {}) })
test('after both', () => {})`,
    findings: ['file: src/svc.js#svc.send'],
    check: (of) => {
      expect(of.failed()).toBe(true)
      expect(of.status('undone > inside undone')).toBe('passed')
    },
  },
  {
    title: 'M-25 a helper that mocks at import time is the file’s',
    file: 'import-time',
    body: (d) =>
      `${d.runner === 'jest' ? `require('../src/helper.js')` : `import '../src/helper.js'`}\ntest('imports a helper that mocks', () => {})`,
    findings: ['file: src/svc.js#svc.send'],
    check: (of) => {
      expect(of.failed()).toBe(true)
      expect(of.run.findings.find((one) => one.file === of.file)?.createdAt).toMatch(/^src\/helper\.js:\d+$/)
    },
  },
  {
    title: 'M-26 a failing test shows its own error first and the leak after it',
    file: 'failing',
    body: (d) => `test('fails and leaks', () => { ${d.spy('svc', 'send')}; throw new Error('its own') })`,
    findings: ['fails and leaks: src/svc.js#svc.send'],
    check: (of, d) => {
      expect(of.message('fails and leaks')).toContain('its own')
      // node:test keeps one error of a test: the other is printed beside it.
      expect(d.runner === 'node:test' ? of.run.output : of.message('fails and leaks')).toContain(
        'Dangling mock: src/svc.js#svc.send',
      )
    },
  },
  {
    title: 'M-27 a test that is expected to fail keeps its result, and the file fails',
    file: 'fails',
    body: (d) =>
      isJest(d.runner)
        ? `test.failing('fails as expected and leaks', () => { ${d.spy('svc', 'send')}; throw new Error('x') })\ntest.failing('passes unexpectedly and leaks', () => { ${d.spy('Svc', 'make')} })`
        : `test('fails as expected and leaks', { expectFailure: true }, () => { ${d.spy('svc', 'send')}; throw new Error('x') })\ntest('passes unexpectedly and leaks', { expectFailure: true }, () => { ${d.spy('Svc', 'make')} })`,
    findings: [
      'fails as expected and leaks: src/svc.js#svc.send',
      'passes unexpectedly and leaks: src/svc.js#Svc.make',
    ],
    check: (of) => {
      expect(of.status('fails as expected and leaks')).toBe('passed')
      expect(of.status('passes unexpectedly and leaks')).toBe('failed')
      expect(of.failed()).toBe(true)
    },
  },
  {
    title: 'M-27 a test that is expected to fail and leaves nothing does not fail its file',
    file: 'fails-clean',
    body: (d) =>
      isJest(d.runner)
        ? `test.failing('fails as expected, clean', () => { throw new Error('x') })`
        : `test('fails as expected, clean', { expectFailure: true }, () => { throw new Error('x') })`,
    findings: [],
    check: (of) => expect(of.failed()).toBe(false),
  },
  {
    title: 'M-28 the leak of a first attempt is reported although the second passes',
    file: 'retry',
    body: (d) =>
      ifJest(
        d,
        `jest.retryTimes(1); let n = 0\ntest('leaks at first, passes then', () => { n += 1; if (n === 1) { ${d.spy('svc', 'send')}; throw new Error('first') } ${d.restore('svc.send')} })`,
      ),
    findings: ['leaks at first, passes then: src/svc.js#svc.send'],
    check: (of) => expect(of.failed()).toBe(true),
  },
  {
    title: 'M-28 a retried test that leaves nothing does not fail its file',
    file: 'retry-clean',
    body: (d) =>
      ifJest(
        d,
        `jest.retryTimes(2); let n = 0\ntest('retried and clean', () => { n += 1; const s = ${d.spy('svc', 'send')}; ${d.restore('s')}; if (n < 3) throw new Error('first') })`,
      ),
    findings: [],
    check: (of) => expect(of.failed()).toBe(false),
  },
  {
    title: 'M-29 concurrent tests own what they made; what nobody owns is the group’s',
    file: 'concurrent',
    body: (d) =>
      isJest(d.runner)
        ? `${turn}describe('together', () => {
  test.concurrent('first', async () => { await turn(); ${d.spy('svc', 'send')}; await turn() })
  test.concurrent('second', async () => { await turn(); const s = ${d.spy('Svc', 'make')}; await turn(); ${d.restore('s')} })
  test.concurrent('third', async () => { await turn(20); ${d.spy('single', 'run')} })
})
describe('group', () => {
  test.concurrent('sets a variable', async () => { process.env.MG_GROUP = '1'; await turn(20) })
  test.concurrent('sits beside it', async () => { await turn(20) })
})`
        : `${turn}describe('together', { concurrency: 3 }, () => {
  test('first', async () => { await turn(); ${d.spy('svc', 'send')}; await turn() })
  test('second', async () => { await turn(); const s = ${d.spy('Svc', 'make')}; await turn(); ${d.restore('s')} })
  test('third', async () => { await turn(20); ${d.spy('single', 'run')} })
})
describe('group', { concurrency: 2 }, () => {
  test('sets a variable', async () => { process.env.MG_GROUP = '1'; await turn(20) })
  test('sits beside it', async () => { await turn(20) })
})`,
    findings: [
      'file: process.env#MG_GROUP',
      'together > first: src/svc.js#svc.send',
      'together > third: src/svc.js#single.run',
    ],
    check: (of) => {
      expect(of.status('together > second')).toBe('passed')
      expect(of.status('together > first')).toBe('failed')
    },
  },
  {
    title: 'M-31 skipped tests are not checked',
    file: 'skipped',
    body: (d) =>
      `test.skip('skipped', () => { ${d.spy('svc', 'send')} })\n${isJest(d.runner) ? `test.todo('to do')` : `test('to do', { todo: true, skip: true }, () => { ${d.spy('svc', 'send')} })\ntest('skips itself', (t) => { t.skip('not today') })`}\ntest('runs', () => {})`,
    findings: [],
    check: (of) => expect(of.status('runs')).toBe('passed'),
  },
  {
    title: 'M-31 a test that times out is checked',
    file: 'timeout',
    body: (d) =>
      isJest(d.runner)
        ? `test('times out and leaks', async () => { ${d.spy('svc', 'send')}; await new Promise(() => {}) }, 30)`
        : `test('times out and leaks', { timeout: 30 }, async () => { ${d.spy('svc', 'send')}; await new Promise((resolve) => setTimeout(resolve, 200)) })`,
    findings: ['times out and leaks: src/svc.js#svc.send'],
  },
  {
    title: 'M-32 what t.mock made is restored by its test, in a subtest and around it',
    file: 't-mock',
    body: (d) =>
      ifNode(
        d,
        `const seen = []
test('spies with t.mock', (t) => { t.mock.method(svc, 'send', () => 'fake'); t.mock.timers.enable({ apis: ['Date'] }) })
test('finds it restored', () => { if (svc.send() !== 'sent') throw new Error('still mocked') })
test('a parent’s mock', async (t) => {
  t.mock.method(svc, 'send', () => 'of the parent')
  await t.test('is seen by its child', () => { seen.push(svc.send()) })
  await t.test('and by the next', (child) => { seen.push(svc.send()); child.mock.method(Svc, 'make') })
  if (seen.join() !== 'of the parent,of the parent') throw new Error(seen.join())
})`,
      ),
    findings: [],
    check: (of) => expect(of.failed()).toBe(false),
  },
  {
    title: 'M-32 what a subtest leaves is the subtest’s, and what its parent leaves is the parent’s',
    file: 'subtests',
    body: (d) =>
      ifNode(
        d,
        `test('parent', async (t) => {
  mock.method(svc, 'send')
  await t.test('child', () => { mock.method(Svc, 'make') })
  await t.test('clean child', () => {})
})
test('after both', () => {})`,
      ),
    findings: ['parent: src/svc.js#svc.send', 'parent > child: src/svc.js#Svc.make'],
    check: (of) => expect(of.status('parent > clean child')).toBe('passed'),
  },
  {
    title: 'M-13 a hoisted mock belongs to its file',
    file: 'hoisted',
    body: (d) =>
      d.runner === 'jest'
        ? `jest.mock('../src/third.js', () => ({ Svc: class { run() {} }, extra: jest.fn(() => 'hoisted') }))
const { extra } = require('../src/third.js')
test('uses it', () => { if (extra() !== 'hoisted') throw new Error('not mocked') })`
        : null,
    findings: [],
    check: (of) => expect(of.failed()).toBe(false),
  },
  {
    title: 'M-14 two listeners of one event are two findings, and neither is told again at the end of the file',
    file: 'listeners',
    body: () =>
      `test('leaves two', () => { process.on('SIGUSR2', () => {}); process.on('SIGUSR2', () => {}) })\ntest('clean', () => {})`,
    findings: ['leaves two: process#on(SIGUSR2)', 'leaves two: process#on(SIGUSR2)'],
    check: (of) => expect(of.status('clean')).toBe('passed'),
  },
]

const fileOf = (row: Row): string => `test/${row.file}.test.js`

function outcomeOf(run: RunOutcome, file: string): Outcome {
  const found = (name: string) => run.tests.find((one) => one.file === file && one.name === name)
  return {
    run,
    file,
    status: (name) => found(name)?.status,
    message: (name) => found(name)?.message ?? '',
    failed: () => run.failedFiles.includes(file),
  }
}

const others: readonly Runner[] = ['jest', 'jest-esm', 'node:test']

describe.each(dialects.filter((d) => others.includes(d.runner)).map((d) => ({ runner: d.runner, d })))(
  '$runner',
  { timeout: 180_000 },
  ({ runner, d }) => {
    const mine = rows.filter((row) => row.body(d) !== null)
    let run: RunOutcome

    beforeAll(async () => {
      const helper = head(d).replaceAll('../src/', './')
      using project = new Project({
        ...baseFiles(runner),
        'src/helper.js': `${helper}svc.send = ${d.fn}\n`,
        ...Object.fromEntries(mine.map((row) => [fileOf(row), `${head(d)}${row.body(d)}\n`])),
      })
      run = await project.run(runner, { args: runner === 'node:test' ? ['test/*.test.js'] : [] })
    }, 180_000)

    test.each(mine)('$title', (row) => {
      const sorted = (lines: readonly string[]) => lines.toSorted((a, b) => a.localeCompare(b))
      const found = run.findings
        .filter((one) => one.file === fileOf(row))
        .map((one) => `${one.test ?? 'file'}: ${one.path}`)
      expect(sorted(found)).toEqual(sorted(row.findings))
      row.check?.(outcomeOf(run, fileOf(row)), d)
    })
  },
)
