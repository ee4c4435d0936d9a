import { nativeObject, nativeReflect } from '../core/natives.ts'
import type { Kind } from '../core/leak.ts'
import type { Key } from '../core/key.ts'
import type { Root } from '../core/roots.ts'
import type { Watched } from '../core/slots.ts'

/** The world a test runs in. Jest gives each file its own globals and its own `process`. */
export interface Realm {
  readonly globals: object
  readonly process: NodeJS.Process
}

export interface WatchedTarget extends Watched {
  /** The kind of a plain value (no mock) put over an existing member. */
  readonly plain: Kind
  /** The kind of a member that was not there before. */
  readonly added: Kind
}

const namespaces = ['Math', 'JSON', 'Reflect', 'Date', 'performance']
/** Objects that Node makes when they are first read. Until their module is loaded nobody has touched them. */
const madeOnUse: Readonly<Record<string, string>> = {
  crypto: 'NativeModule internal/crypto/webcrypto',
  navigator: 'NativeModule internal/navigator',
}
const classes = ['Object', 'Function', 'Array', 'String', 'Number', 'Promise', 'Map', 'Set', 'RegExp', 'Error', 'URL']
/** Built-in modules whose members are replaced in practice: a plain patch there counts also when not strict. */
const patched = [
  'fs',
  'fs/promises',
  'child_process',
  'http',
  'https',
  'net',
  'dns',
  'os',
  'path',
  'crypto',
  'timers',
  'timers/promises',
]
const processState = new Set<Key>(['argv', 'platform', 'arch', 'version', 'stdin', 'stdout', 'stderr'])

/** Written by runners and by the language itself while tests run: never anybody's leak. */
const ownedByRunners =
  /^(__vitest|__VITEST|__vite|__coverage__|__mockguard|vitest|expect|__jest|jest|NODE_V8|\$\$jest|@@|performance_timeline)/

function ordinary(key: Key): boolean {
  return typeof key === 'string'
    ? !ownedByRunners.test(key)
    : !/jest|vitest|mockguard|expect|matchers|nodejs/i.test(String(key))
}

/** What is always compared (testkit.md B3, watched targets). Prototypes are looked at for mocks also when not strict. */
export function watchedTargets(realm: Realm): WatchedTarget[] {
  const targets: WatchedTarget[] = [
    { target: realm.globals, path: 'globalThis#', plain: 'K6', added: 'K14', keys: ordinary, lazy: true },
    { target: realm.process, path: 'process#', plain: 'K6', added: 'K14', keys: processKey(realm.process) },
    {
      target: realm.process.stdout,
      path: 'process#stdout',
      plain: 'K16',
      added: 'K16',
      keys: (key) => key === 'write',
    },
    {
      target: realm.process.stderr,
      path: 'process#stderr',
      plain: 'K16',
      added: 'K16',
      keys: (key) => key === 'write',
    },
  ]
  const add = (path: string, target: unknown, plain: Kind, added: Kind, keys?: (key: Key) => boolean): void => {
    const rare = plain === 'K14'
    if ((typeof target === 'object' || typeof target === 'function') && target !== null) {
      targets.push({ target, path, plain, added, keys, rare })
    }
  }
  for (const name of namespaces) add(`globalThis#${name}`, global(realm, name), 'K6', 'K6')
  add('globalThis#console', global(realm, 'console'), 'K16', 'K16', (key) => typeof key === 'string')
  for (const name of classes) {
    const constructor = global(realm, name)
    const statics = name === 'Error' ? 'K16' : 'K14'
    add(`globalThis#${name}`, constructor, statics, statics, (key) => key !== 'prototype')
    if (typeof constructor === 'function') add(`globalThis#${name}.prototype`, constructor.prototype, 'K14', 'K14')
  }
  const date = global(realm, 'Date')
  if (typeof date === 'function') add('globalThis#Date.prototype', date.prototype, 'K14', 'K14')
  return targets
}

function global(realm: Realm, name: string): unknown {
  const descriptor = nativeObject.getOwnPropertyDescriptor(realm.globals, name)
  if (!descriptor) return undefined
  // `crypto`, `performance`, `navigator` are lazy getters of Node itself: reading them is what every program does.
  if (descriptor.get) return nativeReflect.get(realm.globals, name) as unknown
  return descriptor.value as unknown
}

function processKey(process: NodeJS.Process): (key: Key) => boolean {
  return (key) => {
    if (processState.has(key)) return key === 'argv' || key === 'platform' || key === 'arch' || key === 'version'
    if (typeof key !== 'string' || key.startsWith('_') || key === 'domain') return false
    return typeof nativeObject.getOwnPropertyDescriptor(process, key)?.value === 'function'
  }
}

export function processKind(key: Key): Kind {
  return processState.has(key) ? 'K16' : 'K6'
}

interface WithLoadList {
  readonly moduleLoadList?: readonly string[]
}

/** Grows whenever Node loads a module of its own: when it has not, nothing new has to be looked at. */
export function builtinsLoaded(): number {
  return (process as WithLoadList).moduleLoadList?.length ?? 0
}

function loadedBuiltins(): string[] {
  const prefix = 'NativeModule '
  return ((process as WithLoadList).moduleLoadList ?? []).flatMap((entry) =>
    entry.startsWith(prefix) ? [entry.slice(prefix.length)] : [],
  )
}

/**
 * Loads built-in modules that the program names and has not loaded yet, so that what a test replaces in them right after
 * loading can be told from what was there.
 */
export function loadNamedBuiltins(mentions: ((name: RegExp) => boolean) | undefined): void {
  const loaded = new Set(loadedBuiltins())
  for (const id of patched) {
    if (!loaded.has(id) && mentions?.(new RegExp(`['"](node:)?${id}['"]`)) !== false) process.getBuiltinModule(id)
  }
}

/** Global objects that are made on first use and exist by now. */
export function madeTargets(realm: Realm): WatchedTarget[] {
  const loaded = new Set((process as WithLoadList).moduleLoadList ?? [])
  return nativeObject.entries(madeOnUse).flatMap(([name, module]) => {
    const target = loaded.has(module) ? global(realm, name) : undefined
    return typeof target === 'object' && target !== null
      ? [{ target, path: `globalThis#${name}`, plain: 'K6', added: 'K6' }]
      : []
  })
}

/** A built-in module that is loaded. */
export interface BuiltinTargets {
  readonly id: string
  readonly targets: readonly WatchedTarget[]
}

/** The default exports of built-in modules that are loaded and whose patching counts. */
export function builtinTargets(options: { everything: boolean }): BuiltinTargets[] {
  return loadedBuiltins().flatMap((id) => {
    if (!publicBuiltin.test(id) || !(options.everything || patched.includes(id))) return []
    const exported: unknown = process.getBuiltinModule(id)
    return isObject(exported) ? [{ id, targets: targetsOf(id, exported) }] : []
  })
}

/**
 * The ESM namespaces beside the default exports: a stub in one is not always undone in the other (testkit.md B3, facts).
 * Asynchronous, since only `import()` gives a namespace.
 */
export async function builtinNamespaces(ids: readonly string[]): Promise<WatchedTarget[]> {
  const found: WatchedTarget[] = []
  for (const id of ids) {
    const target: object | undefined = await import(`node:${id}`).catch(() => undefined)
    const plain: Kind = patched.includes(id) ? 'K9' : 'K14'
    if (target)
      found.push({ target, path: `node:${id}#`, plain, added: plain, rare: true, keys: (key) => key !== 'default' })
  }
  return found
}

/** Built-in modules that are loaded and not compared member by member: they are walked for mocks like any module. */
export function builtinRoots(inUse: (id: string) => boolean): Root[] {
  const roots: Root[] = []
  for (const id of loadedBuiltins()) {
    if (!publicBuiltin.test(id) || patched.includes(id) || !inUse(id)) continue
    const exported: unknown = process.getBuiltinModule(id)
    if (isObject(exported)) roots.push({ label: `node:${id}`, id: `node:${id}`, exports: { default: exported } })
  }
  return roots
}

const publicBuiltin = /^(?!_|internal|v8$|wasi|sys|punycode|test|process$|console$|module$|trace|inspector)[a-z_0-9/]+$/

function targetsOf(id: string, exported: object): WatchedTarget[] {
  const plain: Kind = patched.includes(id) ? 'K9' : 'K14'
  // Compared after every test where a module of the program uses it, else at the end of the file.
  const targets: WatchedTarget[] = [{ target: exported, path: `node:${id}#default`, plain, added: 'K14', rare: true }]
  if (['events', 'stream', 'net', 'http', 'https'].includes(id)) targets.push(...classTargets(id, exported))
  return targets
}

function isObject(value: unknown): value is object {
  return (typeof value === 'object' || typeof value === 'function') && value !== null
}

function classTargets(id: string, exported: object): WatchedTarget[] {
  const targets: WatchedTarget[] = []
  for (const name of [
    'EventEmitter',
    'Readable',
    'Writable',
    'Socket',
    'Server',
    'ClientRequest',
    'IncomingMessage',
    'ServerResponse',
    'Agent',
  ]) {
    const constructor = nativeObject.getOwnPropertyDescriptor(exported, name)?.value as unknown
    if (typeof constructor !== 'function') continue
    targets.push({
      target: constructor.prototype as object,
      path: `node:${id}#${name}.prototype`,
      plain: 'K14',
      added: 'K14',
      rare: true,
    })
  }
  return targets
}
