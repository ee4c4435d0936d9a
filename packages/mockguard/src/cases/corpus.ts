import { isJest } from '../testing/dialects.ts'
import type { Dialect } from '../testing/dialects.ts'

/** One generated test, and whether it leaves something behind. */
export interface CorpusTest {
  readonly name: string
  readonly body: string
  readonly leaks: boolean
}

/** A way to put a mock somewhere, and to take it back. `$` is a number that makes names differ. */
interface Template {
  readonly name: string
  readonly make: (d: Dialect, n: number) => readonly [install: string, undo: string] | null
}

const targets: readonly (readonly [string, string])[] = [
  ['svc', 'send'],
  ['svc.nested', 'call'],
  ['Svc', 'make'],
  ['Svc.prototype', 'run'],
  ['Svc.prototype', 'inherited'],
  ['Outer.Inner.Deep.prototype', 'go'],
  ['single', 'run'],
  ['Math', 'random'],
  ['JSON', 'stringify'],
  ['console', 'debug'],
  ['console', 'warn'],
  ['fs', 'existsSync'],
  ['fs', 'readFileSync'],
  ['childProcess', 'spawn'],
  ['http', 'get'],
  ['process', 'exit'],
  ['process', 'kill'],
]

/** Owners on the way to which nothing but plain properties lies: depth 2 is enough to find what is assigned. */
const assignable = targets.filter(([owner]) => owner !== 'svc.nested' && !owner.startsWith('Outer'))
const plain = targets.filter(([owner]) => ['Math', 'JSON', 'fs', 'childProcess', 'http', 'process'].includes(owner))

const spied = targets.map(([owner, key]): Template => ({
  name: `spy on ${owner}.${key}`,
  // An inherited member stays behind as an own copy when node:test restores it; the tests take it away.
  make: (d) => [
    `const spy = ${d.spy(owner, key)}`,
    `${d.restore('spy')}${d.runner === 'node:test' && key === 'inherited' ? `; delete ${owner}.${key}` : ''}`,
  ],
}))
const assigned = assignable.map(([owner, key]): Template => ({
  name: `assign a mock to ${owner}.${key}`,
  make: (d) => [
    `const before = Object.getOwnPropertyDescriptor(${owner}, '${key}'); ${owner}.${key} = ${d.fn}`,
    `before ? Object.defineProperty(${owner}, '${key}', before) : delete ${owner}.${key}`,
  ],
}))
const patched = plain.map(([owner, key]): Template => ({
  name: `patch ${owner}.${key} by hand`,
  make: () => [`const before = ${owner}.${key}; ${owner}.${key} = () => undefined`, `${owner}.${key} = before`],
}))
const sinonStubs = targets.map(([owner, key]): Template => ({
  name: `sinon stub of ${owner}.${key}`,
  make: () => [`const box = sinon.createSandbox(); box.stub(${owner}, '${key}')`, 'box.restore()'],
}))
const globals = ['fetch', 'structuredClone', 'Date', 'URL', 'setTimeout', 'Event', 'Blob'].map((name): Template => ({
  name: `replace the global ${name}`,
  make: () => [
    `const before = globalThis.${name}; globalThis.${name} = function fake() {}`,
    `globalThis.${name} = before`,
  ],
}))
const others: readonly Template[] = [
  { name: 'accessor', make: (d) => [`const spy = ${d.spyGet('svc', 'limit')}`, d.restore('spy')] },
  { name: 'environment added', make: (_d, n) => [`process.env.MG_${n} = '1'`, `delete process.env.MG_${n}`] },
  { name: 'environment changed', make: () => [`process.env.MG_GIVEN = 'other'`, `process.env.MG_GIVEN = 'given'`] },
  { name: 'environment deleted', make: () => [`delete process.env.MG_GIVEN`, `process.env.MG_GIVEN = 'given'`] },
  { name: 'fake timers', make: (d) => [d.fakeTimers, d.realTimers] },
  {
    name: 'fake timers of sinon',
    make: () => [`const clock = sinon.useFakeTimers({ toFake: ['Date', 'setTimeout'] })`, 'clock.restore()'],
  },
  {
    name: 'listener on process',
    make: () => [`const hear = () => {}; process.on('SIGUSR2', hear)`, `process.off('SIGUSR2', hear)`],
  },
  {
    name: 'listener on an emitter',
    make: () => [`const hear = () => {}; bus.on('tick', hear)`, `bus.off('tick', hear)`],
  },
  {
    name: 'symbol',
    make: (d) => [`const tag = Symbol.for('tag'); const before = svc[tag]; svc[tag] = ${d.fn}`, 'svc[tag] = before'],
  },
  { name: 'name with a dash', make: (d) => [`const spy = ${d.spy('svc', 'odd-name')}`, d.restore('spy')] },
  {
    name: 'stubGlobal',
    make: (d) => (d.runner.startsWith('vitest') ? [`vi.stubGlobal('fetch', () => 1)`, 'vi.unstubAllGlobals()'] : null),
  },
  {
    name: 'stubEnv',
    make: (d) => (d.runner.startsWith('vitest') ? [`vi.stubEnv('MG_STUB', '1')`, 'vi.unstubAllEnvs()'] : null),
  },
  {
    name: 'setSystemTime',
    make: (d) => (d.runner.startsWith('vitest') ? [`vi.setSystemTime(0)`, 'vi.useRealTimers()'] : null),
  },
  {
    name: 'doMock',
    make: (d) =>
      d.runner.startsWith('vitest')
        ? [`vi.doMock('../src/index.js', () => ({}))`, `vi.doUnmock('../src/index.js')`]
        : null,
  },
  {
    name: 'replaceProperty',
    make: (d) => (isJest(d.runner) ? [`const r = jest.replaceProperty(svc, '_limit', 9)`, 'r.restore()'] : null),
  },
]

/** How a test ends: in the plain way, after work that takes a turn, or by failing. */
const settings: readonly {
  readonly name: string
  readonly wrap: (install: string, undo: string) => { leak: string; clean: string }
}[] = [
  { name: 'plainly', wrap: (install, undo) => ({ leak: install, clean: `${install}; ${undo}` }) },
  {
    name: 'after a turn',
    wrap: (install, undo) => ({
      leak: `await null; ${install}; await null`,
      clean: `await null; ${install}; await null; ${undo}`,
    }),
  },
  {
    name: 'by a finisher',
    wrap: (install, undo) => ({
      leak: `${install}; t.finish(() => {})`,
      clean: `${install}; t.finish(() => { ${undo} })`,
    }),
  },
  {
    name: 'by finally',
    wrap: (install, undo) => ({
      leak: `${install}; try { svc.limit } finally { }`,
      clean: `${install}; try { svc.limit } finally { ${undo} }`,
    }),
  },
]

/** All templates in all settings: as many leaking tests as clean ones. */
export function corpus(d: Dialect): CorpusTest[] {
  const templates = [...spied, ...assigned, ...patched, ...sinonStubs, ...globals, ...others]
  const tests: CorpusTest[] = []
  for (const [n, template] of templates.entries()) {
    const made = template.make(d, n)
    if (!made) continue
    for (const setting of settings) {
      const { leak, clean } = setting.wrap(...made)
      tests.push({ name: `leaks: ${template.name}, ${setting.name}`, body: leak, leaks: true })
      tests.push({ name: `clean: ${template.name}, ${setting.name}`, body: clean, leaks: false })
    }
  }
  return [...tests, ...harmless(d)]
}

/** Clean tests that do what detectors stumble over. */
function harmless(d: Dialect): CorpusTest[] {
  const bodies: Record<string, string> = {
    'mocks a local object': `const local = { m() {} }; ${d.spy('local', 'm')}`,
    'passes mocks around': `const f = ${d.fn}; [1, 2].map((x) => f(x))`,
    'fills a cache': `handlers.map.set('k', { at: 1 })`,
    'writes a plain value': `svc._limit = 5`,
    'adds a plain method': `svc.extra = () => 1; delete svc.extra`,
    'restores all at once': `${d.spy('svc', 'send')}; ${d.spy('Svc', 'make')}; ${d.restoreAll}`,
    'hears once': `bus.once('x', () => {}); bus.emit('x')`,
    'spies twice, restores once': `const a = ${d.spy('svc', 'send')}; ${d.restore('a')}; const b = ${d.spy('svc', 'send')}; ${d.restore('b')}`,
    'starts and ends a timer': `await new Promise((resolve) => setTimeout(resolve, 1))`,
    'reads the environment': `String(process.env.MG_GIVEN)`,
    prints: `console.debug('x')`,
    'throws and catches': `try { throw new Error('x') } catch {}`,
  }
  if (d.runner === 'node:test') {
    bodies['t.mock is restored late'] = `t.t.mock.method(svc, 'send'); t.t.mock.method(Svc.prototype, 'run')`
    bodies['t.mock timers'] = `t.t.mock.timers.enable({ apis: ['Date'] })`
    bodies['t.mock of a global'] = `t.t.mock.method(Math, 'random'); t.t.mock.method(console, 'log')`
  } else {
    bodies['uses using'] = `using s = ${d.spy('svc', 'send')}; using r = ${d.spy('Svc.prototype', 'run')}`
  }
  return Object.entries(bodies).map(([name, body]) => ({ name: `clean: ${name}`, body, leaks: false }))
}
