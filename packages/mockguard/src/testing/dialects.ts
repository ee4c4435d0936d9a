import type { Runner } from './project.ts'

/** How one thing is written for each runner, so that a case is written once. */
export interface Dialect {
  readonly runner: Runner
  readonly extension: string
  /** The head of a test file: the runner's functions, and `test(name, async (t) => …)` with `t.finish(fn)`. */
  readonly head: string
  imports(names: string, from: string): string
  spy(target: string, key: string): string
  spyGet(target: string, key: string): string
  readonly fn: string
  restore(spy: string): string
  readonly restoreAll: string
  /** Lets the next call of a mock answer 1. */
  queueOnce(mock: string): string
  implement(mock: string, implementation: string): string
  readonly fakeTimers: string
  readonly realTimers: string
}

const vitest = (runner: 'vitest-4' | 'vitest-5'): Dialect => ({
  runner,
  extension: 'test.js',
  head: `import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test as baseTest, vi } from 'vitest'
import { createRequire } from 'node:module'
const require = createRequire(import.meta.url)
const test = (name, body) => baseTest(name, async ({ onTestFinished }) => body({ finish: onTestFinished }))
`,
  imports: (names, from) => `import { ${names} } from '${from}'`,
  spy: (target, key) => `vi.spyOn(${target}, '${key}')`,
  spyGet: (target, key) => `vi.spyOn(${target}, '${key}', 'get')`,
  fn: 'vi.fn()',
  restore: (spy) => `${spy}.mockRestore()`,
  restoreAll: 'vi.restoreAllMocks()',
  queueOnce: (mock) => `${mock}.mockReturnValueOnce(1)`,
  implement: (mock, implementation) => `${mock}.mockImplementation(${implementation})`,
  fakeTimers: 'vi.useFakeTimers()',
  realTimers: 'vi.useRealTimers()',
})

const jest: Dialect = {
  runner: 'jest',
  extension: 'test.js',
  head: `const finishers = []
afterEach(async () => { for (const finish of finishers.splice(0).reverse()) await finish() })
const baseTest = test
{ globalThis.guardedTest = (name, body) => baseTest(name, async () => body({ finish: (fn) => finishers.push(fn) })) }
`,
  imports: (names, from) => `const { ${names.replaceAll(' as ', ': ')} } = require('${from}')`,
  spy: (target, key) => `jest.spyOn(${target}, '${key}')`,
  spyGet: (target, key) => `jest.spyOn(${target}, '${key}', 'get')`,
  fn: 'jest.fn()',
  restore: (spy) => `${spy}.mockRestore()`,
  restoreAll: 'jest.restoreAllMocks()',
  queueOnce: (mock) => `${mock}.mockReturnValueOnce(1)`,
  implement: (mock, implementation) => `${mock}.mockImplementation(${implementation})`,
  fakeTimers: 'jest.useFakeTimers()',
  realTimers: 'jest.useRealTimers()',
}

const jestEsm: Dialect = {
  ...jest,
  runner: 'jest-esm',
  head: `import { jest } from '@jest/globals'
import { createRequire } from 'node:module'
const require = createRequire(import.meta.url)
${jest.head}`,
  imports: (names, from) => `import { ${names} } from '${from}'`,
}

const nodeTest: Dialect = {
  runner: 'node:test',
  extension: 'test.js',
  head: `import { after as afterAll, afterEach, before as beforeAll, beforeEach, describe, mock, test as baseTest } from 'node:test'
import { createRequire } from 'node:module'
const require = createRequire(import.meta.url)
const test = (name, body) => baseTest(name, async (t) => body({ finish: (fn) => t.after(fn), t }))
`,
  imports: (names, from) => `import { ${names} } from '${from}'`,
  spy: (target, key) => `mock.method(${target}, '${key}')`,
  spyGet: (target, key) => `mock.getter(${target}, '${key}')`,
  fn: 'mock.fn()',
  restore: (spy) => `${spy}.mock.restore()`,
  restoreAll: 'mock.restoreAll()',
  queueOnce: (mock) => `${mock}.mock.mockImplementationOnce(() => 1)`,
  implement: (mock, implementation) => `${mock}.mock.mockImplementation(${implementation})`,
  fakeTimers: "mock.timers.enable({ apis: ['setTimeout', 'Date'] })",
  realTimers: 'mock.timers.reset()',
}

export const dialects: readonly Dialect[] = [vitest('vitest-4'), vitest('vitest-5'), jest, jestEsm, nodeTest]

/** Whichever way its modules are loaded. */
export function isJest(runner: Runner): boolean {
  return runner === 'jest' || runner === 'jest-esm'
}

/** The module that tests mock, and the configuration that guards them. */
export function baseFiles(
  runner: Runner,
  options: { pluginOptions?: string; vitest?: string; jest?: string } = {},
): Record<string, string> {
  const esm = runner !== 'jest'
  const library = `
class Base { inherited() { return 'inherited' } }
class Svc extends Base { static make() { return new Svc() } run() { return 'run' } }
class Outer {}
Outer.Inner = class { go() { return 'go' } }
Outer.Inner.Deep = class { go() { return 'deep' } }
const svc = { send() { return 'sent' }, nested: { call() { return 'called' } }, _limit: 1, get limit() { return this._limit }, set limit(value) { this._limit = value }, 'odd-name'() { return 1 }, [Symbol.for('tag')]() { return 2 } }
const single = new Svc()
const list = [{ go() { return 1 } }]
const handlers = { list: [], map: new Map() }
const bus = new EventEmitter()
function heard() {}
const pipe = new PassThrough()
bus.on('given', heard)
function shout(text) { return text.toUpperCase() }
`
  const names = 'Base, Svc, Outer, svc, single, list, handlers, bus, heard, pipe, shout'
  return {
    'package.json': JSON.stringify({
      type: esm ? 'module' : 'commonjs',
      ...(isJest(runner)
        ? {
            jest: {
              ...(esm ? { transform: {} } : {}),
              setupFilesAfterEnv: ['@mainstay/mockguard/jest'],
              testMatch: ['**/*.test.js'],
              ...JSON.parse(options.jest ?? '{}'),
            },
          }
        : {}),
    }),
    'src/svc.js': esm
      ? `import { EventEmitter } from 'node:events'\nimport { PassThrough } from 'node:stream'\n${library}\nexport { ${names} }\n`
      : `const { EventEmitter } = require('node:events')\nconst { PassThrough } = require('node:stream')\n${library}\nmodule.exports = { ${names} }\n`,
    'src/index.js': esm
      ? `import './third.js'\nexport { Svc, svc } from './svc.js'\n`
      : `require('./third.js')\nconst { Svc, svc } = require('./svc.js')\nmodule.exports = { Svc, svc }\n`,
    'src/third.js': esm
      ? `export { Svc } from './svc.js'\n`
      : `const { Svc } = require('./svc.js')\nmodule.exports = { Svc }\n`,
    ...(runner.startsWith('vitest')
      ? {
          'vitest.config.mjs': `import { mockguard } from '@mainstay/mockguard'
// What Vitest remembers of earlier runs decides the order of files, and the modules' folder is that of all projects.
export default { cacheDir: '.cache', plugins: [mockguard(${options.pluginOptions ?? '{}'})], test: { include: ['test/**/*.test.js', 'test/**/*.test.ts'], ${options.vitest ?? ''} } }
`,
        }
      : {}),
  }
}

/** A module whose exports run code, refuse, or never end when somebody looks at them in the wrong way. */
export function hostileModule(runner: Runner): string {
  return `
let touched = 0
const touch = () => { touched += 1; throw new Error('touched') }
const hostile = { get effect() { return touch() }, set effect(value) { touch() }, m() { touch() } }
hostile.self = hostile
const trap = new Proxy({}, { get: touch, has: touch, ownKeys: touch, getOwnPropertyDescriptor: touch, getPrototypeOf: touch })
const once = Proxy.revocable({}, {})
once.revoke()
const revoked = { proxy: once.proxy }
const frozen = Object.freeze({ m() {}, trap })
const big = Array.from({ length: 100_000 }, (_, at) => ({ at }))
function touches() { return touched }
${runner === 'jest' ? 'module.exports =' : 'export'} { hostile, revoked, frozen, big, touches }
`
}

/** A test file: `test` is the dialect's own in Jest, where the name is taken. */
export function testFile(dialect: Dialect, imports: string, body: string): string {
  const text = `${dialect.head}${imports}\n${body}\n`
  return isJest(dialect.runner) ? text.replace(/(^|[\s;{(])test\(/g, '$1guardedTest(') : text
}
