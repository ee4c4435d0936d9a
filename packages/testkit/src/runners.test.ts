import { existsSync, mkdirSync, readFileSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { homeDir, removeQuietly } from './home.ts'
import { findByEnvironment } from './process/process-table.ts'
import { findExecutable } from './process/executable.ts'
import { runProgram, type RunResult } from './process/run.ts'
import { missingExecutable, skipIfDisabled } from './requirements.ts'

const fixtures = fileURLToPath(new URL('../fixtures/', import.meta.url))
const work = join(homeDir('own-tests'), `runners-${process.pid}`)
mkdirSync(work, { recursive: true })
afterAll(() => removeQuietly(work))

/** The runner that runs this test is not to be taken for the one that is started. */
function cleanEnvironment(more: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(
    ([name]) => !/^(?:VITEST|NODE_TEST|NODE_OPTIONS|MAINSTAY_TEST|VITE|TEST$|NODE_ENV)/.test(name),
  )
  return { ...Object.fromEntries(own), MAINSTAY_TESTKIT_DIR: join(work, 'home'), ...more }
}

async function nodeTest(env: NodeJS.ProcessEnv): Promise<RunResult> {
  const file = join(fixtures, 'both-modes.node-test.ts')
  return await runProgram([process.execPath, '--test', '--test-reporter=tap', file], {
    env: cleanEnvironment(env),
    expectExitCode: 'any',
  })
}

/** A program without a runner: its cluster's folder, and what it has told. */
async function plain(how: string): Promise<{ dir: string; stderr: string }> {
  const { stdout, stderr } = await runProgram([process.execPath, join(fixtures, 'plain.ts')], {
    env: cleanEnvironment({ HOW: how }),
  })
  return { dir: stdout.trim(), stderr }
}

interface VitestRun extends RunResult {
  /** Outcomes of all tests of a title, in the order of the projects. */
  readonly outcomes: Readonly<Record<string, string>>
  /** Messages of all errors of a test, by its title. */
  readonly errors: Readonly<Record<string, readonly string[]>>
  /** What was attached to a test, by its title. */
  readonly annotations: Readonly<Record<string, string>>
}

/** All cases in one run of Vitest; its output and its outcomes. */
async function vitest(env: NodeJS.ProcessEnv): Promise<VitestRun> {
  const program =
    findExecutable('vitest') ?? fileURLToPath(new URL('../../../node_modules/.bin/vitest', import.meta.url))
  const [report, junit] = [join(work, 'vitest.json'), join(work, 'vitest.xml')]
  const config = join(fixtures, 'vitest', 'vitest.config.ts')
  const files = [`--outputFile.json=${report}`, `--outputFile.junit=${junit}`]
  const reporters = ['--reporter=default', '--reporter=json', '--reporter=junit', ...files]
  const result = await runProgram([process.execPath, program, 'run', '--config', config, ...reporters], {
    cwd: join(fixtures, 'vitest'),
    env: cleanEnvironment(env),
    expectExitCode: 'any',
    timeoutMs: 170_000,
  })
  const told = JSON.parse(readFileSync(report, 'utf8')) as VitestReport
  const outcomes: Record<string, string> = {}
  const errors: Record<string, string[]> = {}
  for (const { title, status, failureMessages } of told.testResults.flatMap((file) => file.assertionResults)) {
    outcomes[title] = [outcomes[title], status].filter(Boolean).join(' ')
    errors[title] = [...(errors[title] ?? []), ...failureMessages]
  }
  return { ...result, outcomes, errors, annotations: annotationsOf(readFileSync(junit, 'utf8')) }
}

/** Of a report in JUnit's form, whose test cases follow one another. */
function annotationsOf(xml: string): Record<string, string> {
  const found: Record<string, string> = {}
  for (const test of xml.split('<testcase ').slice(1)) {
    const title = /\bname="([^"]*)"/.exec(test)?.[1] ?? ''
    const annotation = /<property name="testkit" value="([^"]*)"/.exec(test)?.[1]
    if (annotation !== undefined) found[title] = annotation
  }
  return found
}

interface VitestReport {
  readonly testResults: readonly {
    readonly assertionResults: readonly {
      readonly title: string
      readonly status: string
      readonly failureMessages: readonly string[]
    }[]
  }[]
}

describe('test runners (testkit.md A13)', { timeout: 180_000 }, () => {
  test.each(['inline', 'process'])('H-76 the same test is green under node:test, mode %s', async (mode) => {
    const { stdout, exitCode } = await nodeTest({ MAINSTAY_TESTKIT_MODE: mode })
    expect(stdout).toContain('# pass 1')
    expect(exitCode).toBe(0)
  })

  test('H-58 a failing test of node:test shows the timeline and keeps the folder', async () => {
    const { stdout, stderr } = await nodeTest({ MAINSTAY_TESTKIT_MODE: 'process', FAIL: '1' })
    expect(stdout).toMatch(/# pass 1\n# fail 1/)
    const kept = /servers' folder: (\S+)/.exec(stdout)?.[1] ?? ''
    expect(existsSync(join(kept, 'timeline.log'))).toBe(true)
    expect(stdout + stderr).toContain('greeter/harness | ready after')
  })

  test('H-58 a test of node:test whose subtest fails has failed', async () => {
    const { stdout, stderr } = await nodeTest({ MAINSTAY_TESTKIT_MODE: 'process', FAIL: 'subtest' })
    const kept = [...stdout.matchAll(/servers' folder: (\S+)/g)].map(([, dir = '']) => dir)
    for (const dir of kept) expect(existsSync(join(dir, 'timeline.log'))).toBe(true)
    // Beginning and end of the full name.
    const names = kept.map((dir) => basename(dir).replace(/-[0-9a-f]{8}$/, ''))
    expect(names.sort()).toEqual(['has-a-su-hat-fails-in-the-middle', 'has-a-subtest-that-fails'])
    expect(stdout + stderr).toContain('greeter/harness | ready after')
  })

  test('H-58 without a runner a start that failed is told, and keeps the folder', async () => {
    const { dir, stderr } = await plain('fails')
    expect(stderr).toMatch(/^--- testkit: timeline of all servers\n[^]*one\/stdout \| why\n[^]*refused: TK_EXIT_CODE/)
    expect(stderr.trimEnd().split('\n').at(-1)).toBe(`--- testkit: kept in ${dir}`)
    expect(existsSync(join(dir, 'timeline.log'))).toBe(true)
    expect(existsSync(join(dir, 'one', 'etc'))).toBe(true)
  })

  test.each(['succeeds', 'fails at first', 'told'])('H-58 without a runner all is quiet when it %s', async (how) => {
    const { dir, stderr } = await plain(how)
    expect(stderr).toBe('')
    expect(existsSync(dir)).toBe(false)
  })

  test('H-67 under node:test a disabled test is skipped, and so is a subtest', async () => {
    const { stdout, exitCode } = await nodeTest({ MAINSTAY_TESTKIT_MODE: 'process', DISABLED: '1' })
    expect(stdout).toMatch(/# pass 2\n# fail 0\n# cancelled 0\n# skipped 2\n/)
    expect(stdout.match(/# SKIP not today/g)).toHaveLength(2)
    expect(stdout).not.toContain('ran')
    expect(exitCode).toBe(0)
    expect(readdirSync(join(work, 'home', 'runs')).filter((name) => name.includes('switched-off'))).toEqual([])
  })

  describe('Vitest', () => {
    const note = join(work, 'markers')
    let run: VitestRun
    beforeAll(async () => {
      run = await vitest({ NOTE_FILE: note })
      if (Object.keys(run.outcomes).length === 0) throw new Error(run.stdout + run.stderr)
    }, 180_000)

    test('H-76 the same tests are green in both modes', () => {
      expect(run.outcomes).toMatchObject({
        'serves, reloads, restarts, stops': 'passed passed',
        'a shared cluster is started': 'passed passed',
        'a worker cluster is started': 'passed passed',
      })
    })

    test('H-58 quiet when green, the timeline of all servers when red', () => {
      const output = run.stdout + run.stderr
      expect(run.outcomes).toMatchObject({ 'passes quietly': 'passed', 'fails without a launch failure': 'failed' })
      for (const server of ['greeter', 'second'])
        expect(output).toMatch(new RegExp(`${server}/harness \\| ready after`))
      expect(output.match(/testkit: kept in/g)?.length).toBeGreaterThanOrEqual(2)
      expect(output).not.toMatch(/passes-quietly/)
      expect(run.exitCode).toBe(1)
    })

    test('H-58 a failing test has the timeline attached, and no error besides its own', () => {
      const failing = ['fails without a launch failure', 'takes too long']
      for (const title of failing) {
        expect(run.errors[title]).toHaveLength(1)
        expect(run.annotations[title]).toMatch(/\/harness \| ready after[^]*--- testkit: kept in \S+$/)
      }
      expect(run.annotations).not.toHaveProperty('passes quietly')
    })

    test.each(['fails with a shared cluster', 'fails with a worker cluster'])(
      'H-58 a test that %s has the timeline attached, and the folder stays',
      (title) => {
        expect(run.errors[title]).toHaveLength(1)
        expect(run.annotations[title]).toMatch(/lent\/harness \| ready after/)
        expect(run.annotations[title]).toContain(`test failed: ${title}`)
        const kept = /kept in (\S+)$/.exec(run.annotations[title] ?? '')?.[1] ?? ''
        expect(readFileSync(join(kept, 'timeline.log'), 'utf8')).toContain(`test failed: ${title}`)
        expect(run.annotations).not.toHaveProperty('passes with a shared cluster')
      },
    )

    test('a cluster’s folder has the full name of its test', () => {
      expect(run.annotations['a suite &gt; fails in it']).toMatch(/kept in \S+\/\d+-a-suite-fails-in-it-[0-9a-f]{8}$/)
    })

    test('H-58 a shared cluster that does not start is told to the test that wanted it', () => {
      const title = 'has a shared cluster that does not start'
      expect(run.outcomes).toMatchObject({ [title]: 'failed' })
      expect(run.errors[title]).toHaveLength(1)
      expect(run.annotations[title]).toContain('broken/stdout | why')
    })

    test('H-58 a test that is meant to fail is told of when it passes', () => {
      expect(run.outcomes).toMatchObject({ 'is meant to fail': 'passed', 'is meant to fail and passes': 'failed' })
      expect(run.annotations).not.toHaveProperty('is meant to fail')
      expect(run.annotations).toHaveProperty('is meant to fail and passes')
    })

    test('the databases of a shared cluster are emptied between its tests, those of a worker’s are not', () => {
      expect(run.outcomes).toMatchObject({
        'the first test of a shared cluster writes': 'passed',
        'the second finds nothing of it': 'passed',
        'the first test of a worker cluster writes': 'passed',
        'the second finds it': 'passed',
      })
    })

    test('H-61 a forbidden log line fails the test and is quoted', () => {
      expect(run.outcomes).toMatchObject({ 'logs something forbidden': 'failed' })
      expect(run.stdout + run.stderr).toContain('greeter/stdout | GET /healthz')
      expect(run.annotations['logs something forbidden']).toMatch(/harness \| ready after[^]*kept in \S+$/)
    })

    test('H-66 servers are stopped after a time-out too', () => {
      expect(run.outcomes).toMatchObject({ 'takes too long': 'failed' })
      const markers = readFileSync(note, 'utf8').trim().split('\n')
      expect(markers).toHaveLength(3)
      expect(markers.flatMap((marker) => findByEnvironment([marker]))).toEqual([])
    })

    test('H-67 a disabled test is skipped and makes no folder, with whichever cluster', () => {
      expect(run.outcomes).toMatchObject({
        'is switched off': 'skipped',
        'shared is switched off': 'skipped',
        'worker is switched off': 'skipped',
      })
      expect(readdirSync(join(work, 'home', 'runs')).filter((name) => name.includes('switched-off'))).toEqual([])
    })
  })

  test('H-67 a missing program gives the reason and the package', () => {
    expect(missingExecutable('redis-server-that-is-not-there')).toBe('redis-server-that-is-not-there not found')
    expect(missingExecutable(process.execPath)).toBeUndefined()
    expect(skipIfDisabled({ disabled: true })).toBe('Test disabled')
    expect(skipIfDisabled({ disabled: true, disabledReason: 'no' })).toBe('no')
    expect(skipIfDisabled({})).toBeUndefined()
  })
})
