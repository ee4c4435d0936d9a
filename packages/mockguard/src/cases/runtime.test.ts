import { describe, expect, test } from 'vitest'
import { baseFiles, dialects, isJest, testFile } from '../testing/dialects.ts'
import type { Dialect } from '../testing/dialects.ts'
import { Project } from '../testing/project.ts'
import type { RunOutcome } from '../testing/project.ts'

/**
 * The guard lives among what it looks at: what tests do to the runtime must not reach it, and what it does must not reach
 * the runtime or the runner while they are busy.
 */
function run(d: Dialect, body: string, env: NodeJS.ProcessEnv): Promise<RunOutcome> {
  const imports = d.imports('svc', '../src/svc.js')
  const project = new Project({
    ...baseFiles(d.runner),
    'src/never.js': `await new Promise((resolve) => setTimeout(resolve, 2_000))\n`,
    'test/a.test.js': testFile(d, imports, body),
  })
  return project
    .run(d.runner, { env, args: d.runner === 'node:test' ? ['test/*.test.js'] : [] })
    .finally(() => project[Symbol.dispose]())
}

const statuses = (outcome: RunOutcome): string[] => outcome.tests.map((one) => `${one.name}: ${one.status}`)
const [vitest, jest, node] = (['vitest-5', 'jest', 'node:test'] as const).map((name) =>
  dialects.find((d) => d.runner === name)!,
) as [Dialect, Dialect, Dialect]

describe.each([vitest, jest, node].map((d) => ({ runner: d.runner, d })))('$runner', { timeout: 120_000 }, ({ d }) => {
  test('M-21 what a test has put in place of the language’s and Node’s functions is not called', async () => {
    const body = `
const seen = new Set()
const places = { Object, Reflect, JSON, Array, Math, performance, fs: require('fs'), Arrays: Array.prototype, Sets: Set.prototype, Maps: Map.prototype, Strings: String.prototype, Patterns: RegExp.prototype }
const given = []
test('leaves recorders', () => {
  for (const [name, keys] of Object.entries({
    Object: ['entries', 'keys', 'fromEntries', 'getOwnPropertyDescriptor', 'getPrototypeOf', 'defineProperty', 'hasOwn', 'is'],
    Reflect: ['ownKeys', 'apply', 'get', 'has', 'getPrototypeOf', 'defineProperty', 'deleteProperty', 'setPrototypeOf'],
    JSON: ['stringify', 'parse'], performance: ['now'], fs: ['writeSync', 'appendFileSync'], Array: ['isArray', 'from'], Math: ['max', 'min'],
  })) for (const key of keys) {
    const original = places[name][key]
    given.push([places[name], key, original])
    places[name][key] = function recorder(...args) {
      const { stackTraceLimit } = Error
      Error.stackTraceLimit = 3
      const { stack } = new Error()
      Error.stackTraceLimit = stackTraceLimit
      if (/mockguard-cache|packages.mockguard.src/.test(stack.split('\\n')[2] ?? '')) seen.add(name + '.' + key)
      return original.apply(this, args)
    }
  }
})
test('and one between', () => {})
test('sees that the guard called none of them', () => {
  for (const [owner, key, original] of given) owner[key] = original
  if (seen.size > 0) throw new Error('called: ' + [...seen].join(' '))
})`
    const outcome = await run(d, body, { MOCKGUARD: 'warn' })
    expect(outcome.tests.at(-1)?.message ?? '').toBe('')
    expect(outcome.tests).toHaveLength(3)
  })

  test('a test that leaves every timer faked does not stop the tests after it', async () => {
    // A module that is still being evaluated: the guard of node:test lets a turn pass, and must not do it by the fake clock.
    const load = d.runner === 'node:test' ? `void import('../src/never.js')` : ''
    const fake = { 'vitest-5': 'vi.useFakeTimers()', jest: 'jest.useFakeTimers()' }[d.runner as string]
    const body = `
test('fakes', async () => { ${load}; ${fake ?? `mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'setImmediate', 'Date'] })`} })
test('and again by sinon', async () => { sinon.useFakeTimers() })
test('comes after', async () => { await new Promise((resolve) => setTimeout(resolve, 1)) })`
    const sinon = isJest(d.runner) ? `const sinon = require('sinon')\n` : `import sinon from 'sinon'\n`
    const outcome = await run(d, `${sinon}${body}`, { MOCKGUARD: 'restore+fail' })
    expect(statuses(outcome)).toEqual(['fakes: failed', 'and again by sinon: failed', 'comes after: passed'])
    expect(outcome.findings.map(({ kind }) => kind)).toEqual(['K8', 'K8'])
  })

  test('results survive a test that fills the output faster than it can be read', async () => {
    const body = `
test('talks', () => { for (let n = 0; n < 200; n += 1) process.stdout.write('x'.repeat(16_384) + '\\n') })
${Array.from({ length: 20 }, (_, at) => `test('quiet ${at}', () => {})`).join('\n')}
test('leaves a listener', () => { process.on('SIGUSR2', () => {}) })
test('last', () => {})`
    const outcome = await run(d, body, { MOCKGUARD: 'restore+fail' })
    expect(outcome.tests).toHaveLength(23)
    expect(statuses(outcome).filter((one) => !one.endsWith('passed'))).toEqual(['leaves a listener: failed'])
  })
})
