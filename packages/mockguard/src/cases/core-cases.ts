import type { Kind } from '../core/leak.ts'
import { isJest } from '../testing/dialects.ts'
import type { Dialect } from '../testing/dialects.ts'

/** What mockguard has to say about one test. */
export type Expected =
  | 'clean'
  | {
      readonly path: string | RegExp
      readonly kind: Kind
      readonly also?: readonly string[]
      /** Further findings of the same test. */ readonly others?: readonly string[]
    }

export interface CoreCase {
  /** The number in the specification. */
  readonly id: string
  readonly title: string
  /** The body of the test, or null where the kind does not exist under the runner. */
  readonly body: (d: Dialect) => string | null
  readonly expected: Expected
  /** Runs strict, with a walk after every test, three deep. */
  readonly wide?: boolean
}

const onlyVitest = (d: Dialect, body: string): string | null => (d.runner.startsWith('vitest') ? body : null)
const notJest = (d: Dialect, body: string): string | null => (isJest(d.runner) ? null : body)

/** Each row is one test in a real project of each runner (testkit.md B8, core). */
export const coreCases: readonly CoreCase[] = [
  // M-1, M-2: the plain case and its undoing
  {
    id: 'M-1',
    title: 'spy on an imported object',
    body: (d) => d.spy('svc', 'send'),
    expected: { path: 'src/svc.js#svc.send', kind: 'K1', also: ['src/index.js#svc.send'] },
  },
  {
    id: 'M-1',
    title: 'spy on a nested object',
    body: (d) => d.spy('svc.nested', 'call'),
    expected: { path: 'src/svc.js#svc.nested.call', kind: 'K1' },
  },
  {
    id: 'M-2',
    title: 'restored in the body',
    body: (d) => `const s = ${d.spy('svc', 'send')}; ${d.restore('s')}`,
    expected: 'clean',
  },
  {
    id: 'M-2',
    title: 'restored by a finisher of the test',
    body: (d) => `const s = ${d.spy('svc', 'send')}; t.finish(() => ${d.restore('s')})`,
    expected: 'clean',
  },
  { id: 'M-2', title: 'restored by afterEach', body: (d) => `later.push(${d.spy('svc', 'send')})`, expected: 'clean' },
  {
    id: 'M-2',
    title: 'restored by using',
    body: (d) => (d.runner === 'node:test' ? null : `using s = ${d.spy('svc', 'send')}; s.mock`),
    expected: 'clean',
  },
  {
    id: 'M-2',
    title: 'restored by restoreAll',
    body: (d) => `${d.spy('svc', 'send')}; ${d.restoreAll}`,
    expected: 'clean',
  },
  {
    id: 'M-2',
    title: 'patched by a disposable of mockguard',
    body: () => `using s = stub(svc, 'send', () => 'x'); s.calls`,
    expected: 'clean',
  },

  // M-3: classes
  {
    id: 'M-3',
    title: 'prototype method',
    body: (d) => d.spy('Svc.prototype', 'run'),
    expected: { path: 'src/svc.js#Svc.prototype.run', kind: 'K2', also: ['src/index.js#Svc.prototype.run'] },
  },
  {
    id: 'M-3',
    title: 'static method',
    body: (d) => d.spy('Svc', 'make'),
    expected: { path: 'src/svc.js#Svc.make', kind: 'K2' },
  },
  {
    id: 'M-3',
    title: 'inherited method',
    body: (d) => d.spy('Svc.prototype', 'inherited'),
    expected: { path: 'src/svc.js#Svc.prototype.inherited', kind: 'K2' },
  },
  {
    id: 'M-3',
    title: 'inherited method restored',
    body: (d) => `const s = ${d.spy('Svc.prototype', 'inherited')}; ${d.restore('s')}; delete Svc.prototype.inherited`,
    expected: 'clean',
  },

  // M-4, M-5: deeper places
  {
    id: 'M-4',
    title: 'class nested three deep, by the tracker',
    body: (d) => d.spy('Outer.Inner.Deep.prototype', 'go'),
    expected: { path: 'src/svc.js#Outer.Inner.Deep.prototype.go', kind: 'K2' },
  },
  {
    id: 'M-5',
    title: 'method of a singleton instance',
    body: (d) => d.spy('single', 'run'),
    expected: { path: 'src/svc.js#single.run', kind: 'K1' },
  },

  {
    id: 'M-4',
    title: 'mock assigned to a class two deep, three deep walked',
    body: (d) => `Outer.Inner.prototype.go = ${d.fn}`,
    expected: { path: 'src/svc.js#Outer.Inner.prototype.go', kind: 'K2' },
    wide: true,
  },
  {
    id: 'M-4',
    title: 'mock assigned to a class two deep, two deep walked',
    body: (d) =>
      `const go = Outer.Inner.prototype.go; Outer.Inner.prototype.go = ${d.fn}; setImmediate(() => { Outer.Inner.prototype.go = go })`,
    expected: 'clean',
  },
  {
    id: 'M-5',
    title: 'element of an array, three deep walked',
    body: (d) => `handlers.list.push(${d.fn})`,
    expected: { path: 'src/svc.js#handlers.list[0]', kind: 'K5' },
    wide: true,
  },
  {
    id: 'M-5',
    title: 'value in a map, three deep walked',
    body: (d) => `handlers.map.set('key', ${d.fn})`,
    expected: { path: 'src/svc.js#handlers.map.key', kind: 'K5' },
    wide: true,
  },

  // M-6: accessors
  {
    id: 'M-6',
    title: 'getter',
    body: (d) => d.spyGet('svc', 'limit'),
    expected: { path: 'src/svc.js#svc.get limit', kind: 'K3' },
  },
  {
    id: 'M-6',
    title: 'getter restored',
    body: (d) => `const s = ${d.spyGet('svc', 'limit')}; ${d.restore('s')}`,
    expected: 'clean',
  },
  {
    id: 'M-6',
    title: 'sinon getter stub',
    body: () => `sinon.stub(svc, 'limit').get(() => 7)`,
    expected: { path: 'src/svc.js#svc.get limit', kind: 'K3' },
  },

  // M-7: namespaces of the runner
  {
    id: 'M-7',
    title: 'namespace export',
    body: (d) =>
      onlyVitest(d, `vi.spyOn(ns, 'shout'); expect(shout('a')).toBe('A'); expect(ns.shout).toHaveBeenCalledTimes(1)`),
    expected: { path: 'src/svc.js#shout', kind: 'K4' },
  },
  {
    id: 'M-7',
    title: 'namespace export restored, descriptor as before',
    body: (d) =>
      onlyVitest(
        d,
        `const get = Object.getOwnPropertyDescriptor(ns, 'shout').get; const s = vi.spyOn(ns, 'shout'); s.mockRestore(); expect(Object.getOwnPropertyDescriptor(ns, 'shout').get).toBe(get)`,
      ),
    expected: 'clean',
  },

  // M-8: assignments
  {
    id: 'M-8',
    title: 'assigned mock function',
    body: (d) => `svc.send = ${d.fn}`,
    expected: { path: 'src/svc.js#svc.send', kind: 'K5' },
  },
  {
    id: 'M-8',
    title: 'assigned mock is not undone by restoreAll',
    body: (d) => `svc.send = ${d.fn}; ${d.restoreAll}`,
    expected: { path: 'src/svc.js#svc.send', kind: 'K5' },
  },
  {
    id: 'M-8',
    title: 'assigned mock put back',
    body: (d) => `const before = svc.send; svc.send = ${d.fn}; svc.send = before`,
    expected: 'clean',
  },
  {
    id: 'M-8',
    title: 'assigned sinon fake',
    body: () => `svc.send = sinon.fake()`,
    expected: { path: 'src/svc.js#svc.send', kind: 'K5' },
  },
  {
    id: 'M-8',
    title: 'sinon stub',
    body: () => `sinon.stub(svc, 'send')`,
    expected: { path: 'src/svc.js#svc.send', kind: 'K1' },
  },
  {
    id: 'M-8',
    title: 'sinon stub restored',
    body: () => `sinon.stub(svc, 'send'); sinon.restore()`,
    expected: 'clean',
  },
  {
    id: 'M-8',
    title: 'sinon sandbox',
    body: () => `const box = sinon.createSandbox(); box.stub(Svc.prototype, 'run')`,
    expected: { path: 'src/svc.js#Svc.prototype.run', kind: 'K2' },
  },
  {
    id: 'M-8',
    title: 'sinon sandbox restored',
    body: () => `const box = sinon.createSandbox(); box.stub(Svc.prototype, 'run'); box.restore()`,
    expected: 'clean',
  },

  // M-9: globals
  {
    id: 'M-9',
    title: 'stubGlobal',
    body: (d) => onlyVitest(d, `vi.stubGlobal('fetch', () => 1)`),
    expected: { path: 'globalThis#fetch', kind: 'K6' },
  },
  {
    id: 'M-9',
    title: 'stubGlobal undone',
    body: (d) => onlyVitest(d, `vi.stubGlobal('fetch', () => 1); vi.unstubAllGlobals()`),
    expected: 'clean',
  },
  {
    id: 'M-9',
    title: 'fetch assigned',
    body: () => `globalThis.fetch = () => 1`,
    expected: { path: 'globalThis#fetch', kind: 'K6' },
  },
  {
    id: 'M-9',
    title: 'Date assigned',
    body: () => `globalThis.Date = class extends Date {}`,
    expected: { path: 'globalThis#Date', kind: 'K6' },
  },
  {
    id: 'M-9',
    title: 'Date.now assigned',
    body: () => `Date.now = () => 1`,
    expected: { path: 'globalThis#Date.now', kind: 'K6' },
  },
  {
    id: 'M-9',
    title: 'Math.random assigned',
    body: () => `Math.random = () => 4`,
    expected: { path: 'globalThis#Math.random', kind: 'K6' },
  },
  {
    id: 'M-9',
    title: 'Math.random spied',
    body: (d) => d.spy('Math', 'random'),
    expected: { path: 'globalThis#Math.random', kind: 'K6' },
  },
  {
    id: 'M-9',
    title: 'Math.random put back',
    body: () => `const before = Math.random; Math.random = () => 4; Math.random = before`,
    expected: 'clean',
  },
  {
    id: 'M-9',
    title: 'console spied',
    body: (d) => d.spy('console', 'debug'),
    expected: { path: 'globalThis#console.debug', kind: 'K6' },
  },
  {
    id: 'M-9',
    title: 'process.exit spied',
    body: (d) => d.spy('process', 'exit'),
    expected: { path: 'process#exit', kind: 'K6' },
  },

  // M-10: environment
  {
    id: 'M-10',
    title: 'variable added',
    body: () => `process.env.MG_ADDED = 'x'`,
    expected: { path: 'process.env#MG_ADDED', kind: 'K7' },
  },
  {
    id: 'M-10',
    title: 'variable changed',
    body: () => `process.env.MG_GIVEN = 'other'`,
    expected: { path: 'process.env#MG_GIVEN', kind: 'K7' },
  },
  {
    id: 'M-10',
    title: 'variable deleted',
    body: () => `delete process.env.MG_GIVEN`,
    expected: { path: 'process.env#MG_GIVEN', kind: 'K7' },
  },
  {
    id: 'M-10',
    title: 'variable put back',
    body: () => `process.env.MG_ADDED = 'x'; delete process.env.MG_ADDED`,
    expected: 'clean',
  },
  {
    id: 'M-10',
    title: 'stubEnv',
    body: (d) => onlyVitest(d, `vi.stubEnv('MG_ADDED', 'x')`),
    expected: { path: 'process.env#MG_ADDED', kind: 'K7' },
  },
  {
    id: 'M-10',
    title: 'stubEnv undone',
    body: (d) => onlyVitest(d, `vi.stubEnv('MG_ADDED', 'x'); vi.unstubAllEnvs()`),
    expected: 'clean',
  },

  // M-11: clocks
  {
    id: 'M-11',
    title: 'fake timers of the runner',
    body: (d) => d.fakeTimers,
    expected: { path: /^timers#(vitest|jest|node:test)$/, kind: 'K8' },
  },
  { id: 'M-11', title: 'fake timers switched off', body: (d) => `${d.fakeTimers}; ${d.realTimers}`, expected: 'clean' },
  {
    id: 'M-11',
    title: 'fake timers of sinon',
    body: () => `sinon.useFakeTimers({ toFake: ['setTimeout', 'Date', 'queueMicrotask'] })`,
    expected: { path: 'timers#sinon', kind: 'K8' },
  },
  {
    id: 'M-11',
    title: 'fake timers of sinon restored',
    body: () => `const c = sinon.useFakeTimers({ toFake: ['setTimeout', 'Date'] }); c.restore()`,
    expected: 'clean',
  },

  // M-12: built-in modules
  {
    id: 'M-12',
    title: 'fs default export',
    body: (d) => d.spy("require('fs')", 'existsSync'),
    expected: { path: 'node:fs#default.existsSync', kind: 'K9' },
  },
  {
    id: 'M-12',
    title: 'fs restored',
    body: (d) => `const s = ${d.spy("require('fs')", 'existsSync')}; ${d.restore('s')}`,
    expected: 'clean',
  },
  {
    id: 'M-12',
    title: 'fs synced and restored without a second sync',
    body: (d) =>
      notJest(
        d,
        `const { syncBuiltinESMExports } = require('module'); const s = ${d.spy("require('fs')", 'accessSync')}; syncBuiltinESMExports(); ${d.restore('s')}`,
      ),
    expected: { path: 'node:fs#accessSync', kind: 'K9' },
  },
  {
    id: 'M-12',
    title: 'fs patched by hand',
    body: () => `require('fs').existsSync = () => true`,
    expected: { path: 'node:fs#default.existsSync', kind: 'K9' },
  },
  {
    id: 'M-12',
    title: 'http.request patched',
    body: () => `require('http').request = () => 1`,
    expected: { path: 'node:http#default.request', kind: 'K12' },
  },

  // M-13: module registry
  {
    id: 'M-13',
    title: 'doMock',
    body: (d) =>
      d.runner === 'node:test' ? null : `${isJest(d.runner) ? 'jest' : 'vi'}.doMock('../src/svc.js', () => ({}))`,
    expected: { path: /^(vi|jest)\.doMock#\.\.\/src\/svc\.js$/, kind: 'K10' },
  },
  {
    id: 'M-13',
    title: 'doMock taken back',
    body: (d) =>
      d.runner === 'node:test'
        ? null
        : isJest(d.runner)
          ? `jest.doMock('../src/svc.js', () => ({})); jest.dontMock('../src/svc.js')`
          : `vi.doMock('../src/svc.js', () => ({})); vi.doUnmock('../src/svc.js')`,
    expected: 'clean',
  },
  {
    id: 'M-13',
    title: 'resetModules leaves no dead entries',
    body: (d) => (d.runner === 'node:test' ? null : `${isJest(d.runner) ? 'jest' : 'vi'}.resetModules()`),
    expected: 'clean',
  },

  // M-14: listeners
  {
    id: 'M-14',
    title: 'listener on process',
    body: () => `process.on('SIGTERM', () => {})`,
    expected: { path: 'process#on(SIGTERM)', kind: 'K11' },
  },
  {
    id: 'M-14',
    title: 'listener on a shared emitter',
    body: () => `bus.on('tick', () => {})`,
    expected: { path: 'src/svc.js#bus.on(tick)', kind: 'K11' },
  },
  {
    id: 'M-14',
    title: 'Node listens on the output while a worker thread lives, and after it',
    body: () =>
      `const { Worker } = require('worker_threads'); const w = new Worker('', { eval: true }); await new Promise((resolve) => w.once('exit', resolve))`,
    expected: 'clean',
  },
  {
    id: 'M-14',
    title: 'Node listens on the output that something is piped into',
    body: () => `const { PassThrough } = require('stream'); new PassThrough().pipe(process.stdout, { end: false })`,
    expected: 'clean',
  },
  {
    id: 'M-14',
    title: 'Node listens on a shared stream that is being read',
    body: () =>
      `const { finished, pipeline, PassThrough } = require('stream'); finished(pipe, () => {}); pipeline(new PassThrough(), pipe, () => {}); pipe[Symbol.asyncIterator]().next()`,
    expected: 'clean',
  },
  {
    id: 'M-14',
    title: 'Node listens to its own messages once a cluster is set up',
    body: (d) => notJest(d, `require('cluster').setupPrimary()`),
    expected: 'clean',
  },
  {
    id: 'M-14',
    title: 'a writer waits until the output has drained',
    body: () => `process.stdout.once('drain', () => {})`,
    expected: 'clean',
  },
  {
    id: 'M-14',
    title: 'once-listener that fired',
    body: () => `bus.once('tock', () => {}); bus.emit('tock')`,
    expected: 'clean',
  },
  {
    id: 'M-14',
    title: 'once-listener that never fired',
    body: () => `bus.once('never', () => {})`,
    expected: { path: 'src/svc.js#bus.on(never)', kind: 'K11' },
  },
  {
    id: 'M-14',
    title: 'listener put before the others',
    body: () => `process.prependListener('SIGUSR2', () => {})`,
    expected: { path: 'process#on(SIGUSR2)', kind: 'K11' },
  },
  {
    id: 'M-14',
    title: 'listener of an event that is a symbol',
    body: () => `bus.on(Symbol.for('sign'), () => {})`,
    expected: { path: 'src/svc.js#bus.on(Symbol(sign))', kind: 'K11' },
  },
  {
    id: 'M-14',
    title: 'one function for two events',
    body: () => `const f = () => {}; bus.on('one', f); bus.on('two', f)`,
    expected: { path: 'src/svc.js#bus.on(one)', kind: 'K11', others: ['src/svc.js#bus.on(two)'] },
  },
  {
    id: 'M-14',
    title: 'listener of an output stream',
    body: () => `process.stdout.on('resize', () => {})`,
    expected: { path: 'process#stdout.on(resize)', kind: 'K11' },
  },
  {
    id: 'M-14',
    title: 'a listener that was there and was removed is nobody’s leak',
    body: () => `bus.off('given', heard); t.finish(() => bus.on('given', heard))`,
    expected: 'clean',
  },
  {
    id: 'M-14',
    title: 'listener removed',
    body: () => `const f = () => {}; bus.on('tack', f); bus.off('tack', f)`,
    expected: 'clean',
  },

  // M-15: queued behaviour of a mock that outlives the test
  {
    id: 'M-15',
    title: 'queued result left in a file-level mock',
    body: (d) => d.queueOnce('shared'),
    expected: { path: /^test\/.*#/, kind: 'K13' },
  },
  {
    id: 'M-15',
    title: 'queued result consumed',
    body: (d) => `${d.queueOnce('shared')}; shared()`,
    expected: 'clean',
  },
  {
    id: 'M-15',
    title: 'queued result consumed, and the calls forgotten',
    body: (d) =>
      d.runner === 'node:test'
        ? `${d.queueOnce('shared')}; shared(); shared.mock.resetCalls()`
        : `${d.queueOnce('shared')}; shared(); shared.mockClear()`,
    expected: 'clean',
  },
  {
    id: 'M-15',
    title: 'queued result thrown away',
    body: (d) =>
      d.runner === 'node:test'
        ? `${d.queueOnce('shared')}; shared.mock.restore()`
        : `${d.queueOnce('shared')}; shared.mockReset()`,
    expected: 'clean',
  },

  // M-16: a changed implementation of a mock that outlives the test
  {
    id: 'M-16',
    title: 'implementation of a file-level mock changed, strict',
    body: (d) => d.implement('shared', '() => 2'),
    expected: { path: /^test\/.*#/, kind: 'K15' },
    wide: true,
  },
  {
    id: 'M-16',
    title: 'implementation of a file-level mock changed, not strict',
    body: (d) => d.implement('shared', '() => 2'),
    expected: 'clean',
  },

  // M-17, M-23: what is nobody's leak
  {
    id: 'M-17',
    title: 'plain patch of a prototype, strict',
    body: () => `Array.prototype.last = function () { return this.at(-1) }`,
    expected: { path: 'globalThis#Array.prototype.last', kind: 'K14' },
    wide: true,
  },
  {
    id: 'M-17',
    title: 'stack limit changed, strict',
    body: () => `Error.stackTraceLimit = 3`,
    expected: { path: 'globalThis#Error.stackTraceLimit', kind: 'K16' },
    wide: true,
  },
  {
    id: 'M-17',
    title: 'directory changed, strict',
    body: () => `process.chdir('/')`,
    expected: { path: 'process#cwd()', kind: 'K16' },
    wide: true,
  },
  {
    id: 'M-17',
    title: 'cache of a module filled, strict',
    body: () => `handlers.cache = new Map([['k', 1]])`,
    expected: 'clean',
    wide: true,
  },
  {
    id: 'M-17',
    title: 'plain patch of a prototype is quiet unless strict',
    body: () => `Svc.prototype.run = function () { return 'patched' }; Svc.prototype.run = Svc.prototype.run`,
    expected: 'clean',
  },
  {
    id: 'M-23',
    title: 'mocks in a test-local object',
    body: (d) => `const local = { m() {} }; ${d.spy('local', 'm')}; local.other = ${d.fn}`,
    expected: 'clean',
  },

  // M-19 … M-22: what is walked
  {
    id: 'M-19',
    title: 'a class that three modules export is reported once',
    body: (d) => d.spy('Svc', 'make'),
    expected: { path: 'src/svc.js#Svc.make', kind: 'K2', also: ['src/index.js#Svc.make', 'src/third.js#Svc.make'] },
  },
  {
    id: 'M-22',
    title: 'a mock object that is a proxy',
    body: () => `svc.deep = new Proxy({ _isMockObject: true }, {})`,
    expected: { path: 'src/svc.js#svc.deep', kind: 'K5' },
    wide: true,
  },
  {
    id: 'M-20',
    title: 'hostile exports were walked and nothing of them was called',
    body: () => `if (touches() !== 0) throw new Error('touched ' + touches())`,
    expected: 'clean',
    wide: true,
  },
  {
    id: 'M-21',
    title: 'walking called no mock',
    body: (d) =>
      `const calls = ${d.runner === 'node:test' ? 'shared.mock.callCount()' : 'shared.mock.calls.length'}; if (calls !== 0) throw new Error('called ' + calls)`,
    expected: 'clean',
    wide: true,
  },

  // M-39: names that are no identifiers
  {
    id: 'M-39',
    title: 'a name with a dash',
    body: (d) => d.spy('svc', 'odd-name'),
    expected: { path: 'src/svc.js#svc[odd-name]', kind: 'K1' },
  },
  {
    id: 'M-39',
    title: 'a symbol',
    body: (d) => `svc[Symbol.for('tag')] = ${d.fn}`,
    expected: { path: 'src/svc.js#svc[Symbol(tag)]', kind: 'K5' },
  },

  {
    id: 'M-39',
    title: 'a symbol whose restore does nothing in node:test',
    body: (d) => (d.runner === 'node:test' ? `const s = mock.method(svc, Symbol.for('tag')); s.mock.restore()` : null),
    expected: { path: 'src/svc.js#svc[Symbol(tag)]', kind: 'K1' },
  },

  // M-42: the wrappers do not show
  {
    id: 'M-42',
    title: 'wrapped creators keep name, length, this, results and errors',
    body: (d) => transparency(d),
    expected: 'clean',
  },

  // M-46: the reference's own table
  {
    id: 'M-46',
    title: 'module attribute',
    body: (d) => (d.runner === 'jest' ? `require('../src/svc.js').shout = ${d.fn}` : null),
    expected: { path: 'src/svc.js#shout', kind: 'K5' },
  },
  {
    id: 'M-46',
    title: 'class attribute',
    body: (d) => `Svc.make = ${d.fn}`,
    expected: { path: 'src/svc.js#Svc.make', kind: 'K2' },
  },
  {
    id: 'M-46',
    title: 'patch started and stopped',
    body: (d) => `const s = ${d.spy('Svc', 'make')}; ${d.restore('s')}`,
    expected: 'clean',
  },
  {
    id: 'M-46',
    title: 'missed by the reference: instance',
    body: (d) => `single.run = ${d.fn}`,
    expected: { path: 'src/svc.js#single.run', kind: 'K5' },
  },
  {
    id: 'M-46',
    title: 'missed by the reference: function that carries its mock',
    body: (d) =>
      `svc.send = Object.assign(() => 1, { mock: ${d.runner === 'node:test' ? 'Object.assign(() => 1, { _isMockFunction: true })' : d.fn} })`,
    expected: { path: 'src/svc.js#svc.send', kind: 'K5' },
    wide: true,
  },
]

function transparency(d: Dialect): string | null {
  if (d.runner === 'node:test') {
    return `if (mock.method.name !== 'method') throw new Error('name ' + mock.method.name)
      let thrown; try { mock.method(null, 'x') } catch (error) { thrown = error }
      if (!thrown || thrown.stack.includes('core/wrap.ts')) throw new Error('stack shows the wrapper: ' + thrown?.stack)`
  }
  const api = isJest(d.runner) ? 'jest' : 'vi'
  return `if (${api}.fn(() => 3)() !== 3) throw new Error('result')
    ${
      isJest(d.runner)
        ? ''
        : `if (vi.spyOn.name !== 'spyOn' || vi.spyOn.length !== 3) throw new Error('name or length: ' + vi.spyOn.name + vi.spyOn.length)
    if (vi.useFakeTimers() !== vi || vi.useRealTimers() !== vi) throw new Error('chain')
    const { spyOn } = vi; const s = spyOn(svc, 'send'); if (vi.spyOn(svc, 'send') !== s) throw new Error('same spy'); s.mockRestore()`
    }
    let thrown; try { ${api}.spyOn(svc, 'missing') } catch (error) { thrown = error }
    if (!thrown || thrown.stack.includes('core/wrap.ts')) throw new Error('stack shows the wrapper: ' + thrown?.stack)`
}
