import { beforeAll, describe, expect, test } from 'vitest'
import { baseFiles } from '../testing/dialects.ts'
import { Project } from '../testing/project.ts'
import type { RunOutcome } from '../testing/project.ts'

/** Attribution where a runner does more than run one test after another (testkit.md B5, M-24 … M-35). */
const head = `import { afterAll, afterEach, aroundEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { Svc, svc, single } from '../src/svc.js'
`

const files = {
  'test/before-each.test.js': `${head}
beforeEach(() => { vi.spyOn(svc, 'send') })
test('a test of a file whose beforeEach spies', () => {})
`,
  'test/before-all.test.js': `${head}
describe('left', () => { beforeAll(() => { vi.spyOn(svc, 'send') }); test('inside left', () => {}) })
describe('undone', () => { let s; beforeAll(() => { s = vi.spyOn(Svc, 'make'); process.env.MG_HOOK = '1' }); afterAll(() => { s.mockRestore(); delete process.env.MG_HOOK }); test('inside undone', () => {}) })
test('after both', () => {})
`,
  'src/helper.js': `import { vi } from 'vitest'\nimport { svc } from './svc.js'\nsvc.send = vi.fn()\n`,
  'test/import-time.test.js': `${head}import '../src/helper.js'\ntest('imports a helper that mocks', () => {})\n`,
  'test/failing.test.js': `${head}test('fails and leaks', () => { vi.spyOn(svc, 'send'); expect(1).toBe(2) })\ntest('fails and cleans', () => { using s = vi.spyOn(Svc, 'make'); expect(1).toBe(2) })\n`,
  'test/fails.test.js': `${head}test.fails('fails as expected and leaks', () => { vi.spyOn(svc, 'send'); throw new Error('x') })\ntest.fails('passes unexpectedly and leaks', () => { vi.spyOn(Svc, 'make') })\n`,
  'test/fails-clean.test.js': `${head}test.fails('fails as expected, clean', () => { using s = vi.spyOn(svc, 'send'); throw new Error('x') })\n`,
  'test/retry.test.js': `${head}let n = 0
test('leaks at first, passes then', { retry: 1 }, () => { n += 1; if (n === 1) { vi.spyOn(svc, 'send'); throw new Error('first') } svc.send.mockRestore() })
`,
  'test/retry-clean.test.js': `${head}let n = 0
test('retried and clean', { retry: 2 }, () => { n += 1; using s = vi.spyOn(svc, 'send'); if (n < 3) throw new Error('first') })
`,
  'test/repeats.test.js': `${head}test('repeated and leaking', { repeats: 2 }, () => { vi.spyOn(svc, 'send') })\n`,
  'test/concurrent.test.js': `${head}const turn = () => new Promise((resolve) => setTimeout(resolve, 5))
describe.concurrent('together', () => {
  test('first', async () => { await turn(); vi.spyOn(svc, 'send'); await turn() })
  test('second', async () => { await turn(); using s = vi.spyOn(Svc, 'make'); await turn() })
  test('third', async () => { await turn(); await turn(); vi.spyOn(single, 'run') })
})
describe.concurrent('group', () => {
  test('sets a variable', async () => { process.env.MG_GROUP = '1'; await turn() })
  test('sits beside it', async () => { await turn(); await turn() })
})
`,
  'test/skipped.test.js': `${head}test.skip('skipped', () => { vi.spyOn(svc, 'send') })\ntest.todo('to do')\ntest('skips itself', ({ skip }) => { skip('not today') })\ntest('runs', () => {})\n`,
  'test/timeout.test.js': `${head}test('times out and leaks', { timeout: 30 }, async () => { vi.spyOn(svc, 'send'); await new Promise(() => {}) })\n`,
  'test/fixtures.test.js': `import { test as base, vi, expect } from 'vitest'
import { svc, Svc } from '../src/svc.js'
const test = base.extend({
  sent: async ({}, use) => { const spy = vi.spyOn(svc, 'send').mockReturnValue('fake'); await use(spy); spy.mockRestore() },
  made: [async ({ sent }, use) => { using spy = vi.spyOn(Svc, 'make'); await use(spy) }, { auto: true }],
})
test('uses fixtures', ({ sent, made }) => { expect(svc.send()).toBe('fake'); expect(made).toBeDefined() })
test('uses none by name', () => { expect(vi.isMockFunction(Svc.make)).toBe(true) })
test('finishes late', ({ onTestFinished, onTestFailed }) => { const s = vi.spyOn(svc.nested, 'call'); onTestFinished(() => s.mockRestore()) })
test.for([1, 2])('each %i', (n, { expect }) => { expect(n).toBeGreaterThan(0) })
`,
  'test/hoisted.test.js': `import { expect, test, vi } from 'vitest'
import { svc } from '../src/svc.js'
import { shown } from '../src/user.js'
vi.mock('../src/svc.js', () => ({ svc: { send: vi.fn(() => 'hoisted') }, Svc: class {} }))
test('a hoisted mock belongs to its file', () => { expect(svc.send()).toBe('hoisted'); expect(shown()).toBe('hoisted') })
`,
  'src/user.js': `import { svc } from './svc.js'\nexport { svc as used }\nexport function shown() { return svc.send() }\n`,
  'test/spied-module.test.js': `import { expect, test, vi } from 'vitest'
import { svc, shout } from '../src/svc.js'
vi.mock('../src/svc.js', { spy: true })
test('an automock that spies belongs to its file', () => { expect(shout('a')).toBe('A'); expect(vi.isMockFunction(shout)).toBe(true) })
`,
}

type Check = (run: RunOutcome) => void
const of = (run: RunOutcome, file: string): string[] =>
  run.findings.filter((one) => one.file === `test/${file}.test.js`).map((one) => `${one.test ?? 'file'}: ${one.path}`)
const statusOf = (run: RunOutcome, file: string, name: string): string | undefined =>
  run.tests.find((one) => one.file === `test/${file}.test.js` && one.name === name)?.status
const failedFile = (run: RunOutcome, file: string): boolean => run.failedFiles.includes(`test/${file}.test.js`)

const checks: Record<string, Check> = {
  'M-24 a spy of beforeEach is the test’s, and the hook is where it was created': (run) => {
    expect(of(run, 'before-each')).toEqual(['a test of a file whose beforeEach spies: src/svc.js#svc.send'])
    expect(run.findings.find((one) => one.file === 'test/before-each.test.js')?.createdAt).toBe(
      'test/before-each.test.js:4',
    )
  },
  'M-24 a spy of beforeAll is the file’s, unless afterAll undoes it': (run) => {
    expect(of(run, 'before-all')).toEqual(['file: src/svc.js#svc.send'])
    expect(failedFile(run, 'before-all')).toBe(true)
    expect(statusOf(run, 'before-all', 'undone > inside undone')).toBe('passed')
  },
  'M-25 a helper that mocks at import time is the file’s': (run) => {
    expect(of(run, 'import-time')).toEqual(['file: src/svc.js#svc.send'])
    expect(run.findings.find((one) => one.file === 'test/import-time.test.js')?.createdAt).toBe('src/helper.js:3')
  },
  'M-26 a failing test shows its own error first and the leak after it': (run) => {
    const failed = run.tests.find((one) => one.name === 'fails and leaks')
    expect(failed?.message.indexOf('AssertionError')).toBe(0)
    expect(failed?.message).toContain('Dangling mock: src/svc.js#svc.send')
    expect(of(run, 'failing')).toEqual(['fails and leaks: src/svc.js#svc.send'])
  },
  'M-27 test.fails: the test keeps its result and the file fails': (run) => {
    expect(of(run, 'fails')).toEqual([
      'fails as expected and leaks: src/svc.js#svc.send',
      'passes unexpectedly and leaks: src/svc.js#Svc.make',
    ])
    expect(statusOf(run, 'fails', 'fails as expected and leaks')).toBe('passed')
    expect(statusOf(run, 'fails', 'passes unexpectedly and leaks')).toBe('failed')
    expect(failedFile(run, 'fails')).toBe(true)
    expect(of(run, 'fails-clean')).toEqual([])
    expect(failedFile(run, 'fails-clean')).toBe(false)
  },
  'M-28 the leak of a first attempt is reported although the second passes': (run) => {
    expect(of(run, 'retry')).toEqual(['leaks at first, passes then: src/svc.js#svc.send'])
    expect(failedFile(run, 'retry')).toBe(true)
    expect(of(run, 'retry-clean')).toEqual([])
    expect(failedFile(run, 'retry-clean')).toBe(false)
  },
  'M-28 repeats are reported once': (run) =>
    expect(of(run, 'repeats')).toEqual(['repeated and leaking: src/svc.js#svc.send']),
  'M-29 concurrent tests own what they made; what nobody owns is the group’s': (run) => {
    expect(of(run, 'concurrent').toSorted((a, b) => a.localeCompare(b))).toEqual([
      'file: process.env#MG_GROUP',
      'together > first: src/svc.js#svc.send',
      'together > third: src/svc.js#single.run',
    ])
    expect(statusOf(run, 'concurrent', 'together > second')).toBe('passed')
    expect(statusOf(run, 'concurrent', 'together > first')).toBe('failed')
  },
  'M-31 skipped tests are not checked, timed-out tests are': (run) => {
    expect(of(run, 'skipped')).toEqual([])
    expect(statusOf(run, 'skipped', 'runs')).toBe('passed')
    expect(of(run, 'timeout')).toEqual(['times out and leaks: src/svc.js#svc.send'])
  },
  'M-35 a suite with extended fixtures runs unchanged': (run) => {
    expect(of(run, 'fixtures')).toEqual([])
    expect(run.tests.filter((one) => one.file === 'test/fixtures.test.js').map((one) => one.status)).toEqual(
      Array.from({ length: 5 }, () => 'passed'),
    )
  },
  'M-13 hoisted mocks and spying automocks are no leak': (run) => {
    expect([of(run, 'hoisted'), of(run, 'spied-module')]).toEqual([[], []])
    expect([failedFile(run, 'hoisted'), failedFile(run, 'spied-module')]).toEqual([false, false])
  },
}

describe.each(['vitest-4', 'vitest-5'] as const)('%s', { timeout: 120_000 }, (runner) => {
  let run: RunOutcome
  beforeAll(async () => {
    using project = new Project({ ...baseFiles(runner), ...files })
    run = await project.run(runner)
  }, 120_000)

  test.each(Object.entries(checks))('%s', (_title, check) => {
    expect(run.output).not.toContain('FixtureParseError')
    check(run)
  })
})

describe.each(['vitest-4', 'vitest-5'] as const)('files and pools of %s', { timeout: 120_000 }, (runner) => {
  const shared = {
    // The longer file runs first.
    'test/a.test.js': `${head}// ${'.'.repeat(2000)}\ntest('leaves one', () => { svc.send = vi.fn() })\n`,
    'test/b.test.js': `${head}test('comes after', () => { expect(vi.isMockFunction(svc.send)).toBe(process.env.EXPECT_MOCK === '1') })\n`,
  }
  const order = `isolate: false, fileParallelism: false, maxWorkers: 1, sequence: { shuffle: false }`

  test('M-33 without isolation the second file names the first, or is clean when it was restored', async () => {
    using project = new Project({ ...baseFiles(runner, { vitest: order }), ...shared })
    const detected = await project.run(runner, { env: { EXPECT_MOCK: '1' } })
    expect(detected.findings.map((one) => [one.file, one.path])).toEqual([['test/a.test.js', 'src/svc.js#svc.send']])
    expect(detected.output).toContain(
      'src/svc.js#svc.send is still mocked in test/b.test.js: left behind by test/a.test.js',
    )
    expect(detected.tests.find((one) => one.file === 'test/b.test.js')?.status).toBe('passed')
    const restored = await project.run(runner, { env: { EXPECT_MOCK: '0', MOCKGUARD: 'restore+fail' } })
    expect(restored.findings.map((one) => one.file)).toEqual(['test/a.test.js'])
    expect(restored.output).not.toContain('is still mocked in')
    expect(restored.tests.find((one) => one.file === 'test/b.test.js')?.status).toBe('passed')
  })

  test.each(['threads', 'vmThreads', 'vmForks'])('M-34 works in the pool %s', async (pool) => {
    using project = new Project({
      ...baseFiles(runner, { vitest: `pool: '${pool}'` }),
      'test/a.test.js': `${head}test('leaves one', () => { vi.spyOn(svc, 'send') })\ntest('clean', () => { using s = vi.spyOn(svc, 'send') })\n`,
    })
    const run = await project.run(runner)
    expect(run.findings.map((one) => [one.test, one.path])).toEqual([['leaves one', 'src/svc.js#svc.send']])
    expect(run.tests.map((one) => one.status)).toEqual(['failed', 'passed'])
  })

  test('M-30 failFast skips the remaining tests of the file with a reason', async () => {
    using project = new Project({
      ...baseFiles(runner, { pluginOptions: '{ failFast: true }' }),
      'test/a.test.js': `${head}test('leaves one', () => { vi.spyOn(svc, 'send') })\ntest('never runs', () => { throw new Error('ran') })\n`,
      'test/b.test.js': `${head}test('other file', () => {})\n`,
    })
    const run = await project.run(runner)
    expect(run.tests.map((one) => `${one.name}: ${one.status}`).toSorted()).toEqual([
      'leaves one: failed',
      'never runs: skipped',
      'other file: passed',
    ])
  })

  test('what restoreMocks, unstubGlobals and unstubEnvs undo is clean, except in the last test of a file', async () => {
    using project = new Project({
      ...baseFiles(runner, { vitest: 'restoreMocks: true, unstubGlobals: true, unstubEnvs: true' }),
      'test/a.test.js': `${head}test('one', () => { vi.spyOn(svc, 'send'); vi.stubGlobal('fetch', 1); vi.stubEnv('MG_X', '1') })\ntest('two', () => { expect(vi.isMockFunction(svc.send)).toBe(false); svc.send = vi.fn() })\ntest('last', () => { vi.spyOn(Svc, 'make'); vi.stubEnv('MG_X', '1') })\n`,
    })
    const run = await project.run(runner)
    expect(run.findings.map((one) => `${one.test}: ${one.path}`).sort()).toEqual([
      'last: process.env#MG_X',
      'last: src/svc.js#Svc.make',
      'two: src/svc.js#svc.send',
    ])
    expect(run.tests.find((one) => one.name === 'one')?.status).toBe('passed')
  })
})
