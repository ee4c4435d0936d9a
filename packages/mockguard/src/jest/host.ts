import { createRequire } from 'node:module'
import { dirname, resolve } from 'node:path'
import { isArray, nativeObject, nativeReflect } from '../core/natives.ts'
import { watchJestObject, watchModuleMocker, forgetHandles } from '../creators/jest.ts'
import { watchSinonWhenLoaded } from '../creators/sinon.ts'
import type { TestRef } from '../core/leak.ts'
import type { Root } from '../core/roots.ts'
import { isRunnerLibrary, moduleLabel } from '../core/roots.ts'
import type { UndoneBy } from '../core/tracker.ts'
import { wrapMethod } from '../core/wrap.ts'
import type { DanglingMockError } from '../guard/error.ts'
import { Guard } from '../guard/guard.ts'
import { resolveSettings } from '../guard/options.ts'
import { processState, uninstallAll } from '../guard/process-state.ts'
import { Session } from '../guard/session.ts'
import { readOptionsFile } from '../node-test/options-file.ts'

/** What the set-up file hands over from inside the sandbox. */
export interface Sandbox {
  readonly sandbox: object
  readonly process: NodeJS.Process
  readonly require: ((id: string) => unknown) & { readonly cache: NodeJS.Dict<NodeJS.Module> }
  readonly jest: object
  readonly testPath: string
}

/** What is read of jest-circus. */
interface CircusTest {
  readonly name: string
  readonly parent: CircusBlock
  readonly mode?: string | null
  readonly concurrent?: boolean
  readonly failing?: boolean
  fn?: ((...args: never[]) => unknown) | undefined
  readonly errors: unknown[]
  readonly invocations?: number
  readonly asyncError?: Error
}

interface CircusBlock {
  readonly name: string
  readonly parent?: CircusBlock
  readonly children?: readonly (CircusBlock | CircusTest)[]
  readonly type?: string
}

interface CircusEvent {
  readonly name: string
  readonly test?: CircusTest
}

interface CircusState {
  readonly unhandledErrors: unknown[]
  readonly rootDescribeBlock: CircusBlock
}

type OnEvent = (event: CircusEvent, state: CircusState) => Promise<void>

const require = createRequire(import.meta.url)
const ownFolder = new URL('..', import.meta.url).pathname
const ownFile = (file: string): boolean =>
  (file.startsWith(ownFolder) || file.includes('/mockguard/jest/')) && !file.includes('/fixtures/')

/**
 * The guard of one Jest file, or null when it is off. The check runs on `test_done`, after all hooks; Jest gives each
 * file its own modules and globals, so what is left crosses tests, not files, except for the process itself.
 */
export function openJestFile(sandbox: Sandbox): OnEvent | null {
  const runtime = runtimeOf(sandbox)
  const config = runtime?._config ?? {}
  const root = config.rootDir ?? process.cwd()
  const settings = resolveSettings(readOptionsFile(root), root)
  if (settings.mode === 'off') return null
  const file = moduleLabel(sandbox.testPath, root)
  const state = processState()
  const guard = new Guard(
    state.tracker,
    {
      realm: { globals: sandbox.sandbox, process: sandbox.process },
      roots: () => sandboxRoots(sandbox, root, runtime),
      undoneBetweenTests: new Set<UndoneBy>(config.restoreMocks === true ? ['mocks'] : []),
    },
    { ...settings, restores: settings.mode === 'restore' || settings.mode === 'restore+fail' },
  )
  const session = new Session(settings, guard, { file, today: new Date().toISOString().slice(0, 10) })
  uninstallAll(state)
  state.tracker.clock = null
  state.tracker.registry.clear()
  forgetHandles()
  const hooks = {
    onFileLevelMock: (mock: object) => guard.behaviour.watch(mock),
    onQueuesReset: () => guard.behaviour.forgetQueues(),
  }
  for (const [loaded, module] of nativeObject.entries(require.cache)) {
    if (/[\\/]jest-mock[\\/]build[\\/]index\.js$/.test(loaded)) {
      const { ModuleMocker } = (module?.exports ?? {}) as { ModuleMocker?: { prototype: object } }
      if (ModuleMocker) state.uninstall.push(...watchModuleMocker(ModuleMocker.prototype, state.tracker, hooks))
    }
  }
  if (runtime?.jestGlobals) {
    const undo = wrapMethod(
      nativeObject.getPrototypeOf(runtime.jestGlobals) as object,
      'buildJestObject',
      (run, [from]) => {
        const made = run()
        if (typeof made === 'object' && made !== null)
          watchJestObject(made, String(from), state.tracker, () =>
            runtime._environment?.fakeTimersModern?.useRealTimers(),
          )
        return made
      },
    )
    if (undo) state.uninstall.push(undo)
  }

  let begun = false
  const refs = new Map<CircusTest, TestRef>()
  const started = new Set<CircusTest>()
  const late: { test: CircusTest; error: DanglingMockError }[] = []

  function refOf(test: CircusTest): TestRef {
    let ref = refs.get(test)
    if (!ref) {
      const names: string[] = []
      for (let at: CircusBlock | undefined = test; at && at.name !== 'ROOT_DESCRIBE_BLOCK'; at = at.parent)
        names.unshift(at.name)
      refs.set(
        test,
        (ref = { id: `${refs.size}`, name: names.join(' > '), file, line: lineOf(test, sandbox.testPath) }),
      )
    }
    return ref
  }

  /** Concurrent tests all start before the first of them is told of: what each makes is known by its asynchronous context. */
  function ownWhatItMakes(test: CircusTest): void {
    const body = test.fn
    if (!body) return
    const ref = refOf(test)
    test.fn = function concurrent(this: unknown, ...args: never[]) {
      return state.tracker.within(ref, () => nativeReflect.apply(body, this, args))
    }
  }

  return async (event, circus) => {
    const { test } = event
    if (event.name === 'run_start') {
      await guard.refresh()
      watchSinonWhenLoaded(state, sinonOf(sandbox))
      session.timed(() => guard.beginFile())
      begun = true
      for (const one of allTests(circus.rootDescribeBlock)) if (one.concurrent === true) ownWhatItMakes(one)
    } else if (event.name === 'test_start' && test && willRun(test)) {
      await guard.refresh()
      if (settings.failFast && session.leaked) (test as { mode: string }).mode = 'skip'
      else {
        started.add(test)
        session.timed(() => guard.beginTest(refOf(test), { hooksRan: true }))
      }
    } else if (event.name === 'test_done' && test && started.has(test)) {
      const error = session.afterTest(refOf(test), {
        last: () => isLast(test, circus.rootDescribeBlock, started),
        concurrent: test.concurrent === true,
      })
      // An error would be taken for the failure that is expected: the file fails instead.
      if (error && test.failing === true) session.postpone(error)
      else if (error) {
        // A retry empties the list of errors: the file then says what the first attempt left.
        late.push({ test, error })
        test.errors.push([error, undefined])
      }
    } else if (event.name === 'run_finish' && begun) {
      for (const { test: retried, error } of late) if (retried.errors.length === 0) session.postpone(error)
      circus.unhandledErrors.push(...session.finish())
      uninstallAll(state)
      forgetHandles()
    }
  }
}

interface Runtime {
  readonly _config?: ProjectConfig
  readonly _environment?: { readonly fakeTimersModern?: { useRealTimers(): void } | null }
  /** Makes the `jest` object of each module. Private to Jest: without it fake timers and `doMock` have no origin. */
  readonly jestGlobals?: object
  /** Native ES modules of this file, by path. Private to Jest: without it a re-export may lend its name to what it exports. */
  readonly registries?: { readonly esModuleRegistry?: unknown }
}

interface ProjectConfig {
  readonly rootDir?: string
  readonly restoreMocks?: boolean
}

/** Jest's runtime of this file: the one that answers when the sandbox asks for a built-in module. */
function runtimeOf(sandbox: Sandbox): Runtime | null {
  for (const [loaded, module] of nativeObject.entries(require.cache)) {
    if (!/[\\/]jest-runtime[\\/]build[\\/]index\.js$/.test(loaded)) continue
    const { default: Runtime } = (module?.exports ?? {}) as { default?: { prototype: object } }
    if (!Runtime) continue
    let found: Runtime | null = null
    const undo = wrapMethod(Runtime.prototype, 'requireModuleOrMock', (run, _args, self) => {
      found = self as Runtime
      return run()
    })
    sandbox.require('path')
    undo?.()
    return found
  }
  return null
}

/** `require.cache` of a sandbox lists its CommonJS modules and, where Jest loads them natively, its ES modules. */
function sandboxRoots(sandbox: Sandbox, root: string, runtime: Runtime | null): Root[] {
  const roots: Root[] = []
  const { cache } = sandbox.require
  const importers = new Map<string, Set<string>>()
  const files = nativeObject.keys(cache)
  for (const parent of files) {
    const children = cache[parent]?.children.map((child) => child.filename) ?? []
    for (const child of [...children, ...importedBy(parent, runtime)]) {
      let set = importers.get(child)
      if (!set) importers.set(child, (set = new Set()))
      set.add(parent)
    }
  }
  for (const file of files) {
    const module = cache[file]
    if (!module || file === sandbox.testPath || ownFile(file) || isRunnerLibrary(file)) continue
    roots.push({
      label: moduleLabel(file, root),
      id: file,
      exports: module.exports,
      importers: importers.get(file),
      mocked: file.includes('/__mocks__/'),
    })
  }
  return roots
}

/** The files that a native ES module imports by a relative path. */
function importedBy(file: string, runtime: Runtime | null): string[] {
  const registry = runtime?.registries?.esModuleRegistry
  if (!(registry instanceof Map)) return []
  const module: unknown = registry.get(file)
  const requests: unknown = typeof module === 'object' && module !== null && nativeReflect.get(module, 'moduleRequests')
  if (!isArray(requests)) return []
  return requests.flatMap((request: { specifier?: unknown }) => {
    const { specifier } = request
    return typeof specifier === 'string' && specifier.startsWith('.') ? [resolve(dirname(file), specifier)] : []
  })
}

/** sinon in each of its builds; the one for `import` has its functions in the default export. */
function sinonOf(sandbox: Sandbox): object[] {
  return nativeObject.entries(sandbox.require.cache).flatMap(([file, module]) => {
    if (!/[\\/]node_modules[\\/]sinon[\\/](lib|pkg)[\\/]sinon(-esm)?\.c?js$/.test(file)) return []
    const exported: unknown = module?.exports
    if (typeof exported !== 'object' || exported === null) return []
    const api: unknown = file.endsWith('-esm.js') ? nativeReflect.get(exported, 'default') : exported
    return typeof api === 'object' && api !== null ? [api] : []
  })
}

function willRun(test: CircusTest): boolean {
  return test.mode !== 'skip' && test.mode !== 'todo'
}

function isLast(test: CircusTest, block: CircusBlock, started: ReadonlySet<CircusTest>): boolean {
  return allTests(block).every((one) => one === test || started.has(one) || !willRun(one))
}

function* allTests(block: CircusBlock): Generator<CircusTest> {
  for (const child of block.children ?? []) {
    if ('errors' in child) yield child
    else yield* allTests(child)
  }
}

function lineOf(test: CircusTest, file: string): number | undefined {
  const found = (test.asyncError?.stack ?? '').split('\n').find((line) => line.includes(file))
  const line = /:(\d+):\d+\)?$/.exec(found ?? '')?.[1]
  return line === undefined ? undefined : Number(line)
}
