import { createRequire } from 'node:module'
import * as nodeTest from 'node:test'
import type { TestContext } from 'node:test'
import { writeSync } from '../core/natives.ts'
import { watchMockTracker } from '../creators/node-test.ts'
import { watchSinonWhenLoaded } from '../creators/sinon.ts'
import type { TestRef } from '../core/leak.ts'
import { moduleLabel } from '../core/roots.ts'
import { Guard } from '../guard/guard.ts'
import { resolveSettings } from '../guard/options.ts'
import { processState, uninstallAll } from '../guard/process-state.ts'
import { Session } from '../guard/session.ts'
import { commonJsRoots } from '../vitest/modules.ts'
import { readOptionsFile } from './options-file.ts'
import { LoadedModules } from './loaded-modules.ts'

/**
 * `node --import @mainstay/mockguard/node-test --test`: guards every test file of node:test.
 *
 * Root hooks apply to nested suites too. The check is registered with `t.after` from the root `afterEach`, which is the
 * last moment a hook can have: file-level `afterEach` and earlier `t.after` callbacks have run by then. Only what a
 * `t.mock` made is still there, because node:test restores it later; that is looked at when the process ends
 * (testkit.md B5).
 */
const root = process.cwd()
const settings = resolveSettings(readOptionsFile(root), root)

// The process that only starts other test processes has nothing to guard.
const runsAllFiles = process.execArgv.includes('--test-isolation=none')
const isStarter = process.execArgv.includes('--test') && process.env['NODE_TEST_CONTEXT'] === undefined && !runsAllFiles

if (settings.mode !== 'off' && !isStarter) guardProcess()

function guardProcess(): void {
  const ownFolder = new URL('..', import.meta.url).pathname
  const ownFile = (file: string): boolean => file.startsWith(ownFolder) && !file.includes('/fixtures/')
  const loaded = new LoadedModules(root, ownFile)
  const state = processState()
  const entry = process.argv[1] ?? ''
  const guard = new Guard(
    state.tracker,
    {
      realm: { globals: globalThis, process },
      roots: () => [
        ...loaded.roots(),
        ...commonJsRoots(root, (file) => ownFile(file) || file === entry, createRequire(import.meta.url).cache),
      ],
      undoneBetweenTests: new Set(),
    },
    { ...settings, restores: settings.mode === 'restore' || settings.mode === 'restore+fail' },
  )
  const file = runsAllFiles ? 'node --test' : moduleLabel(entry, root)
  const session = new Session(settings, guard, { file, today: new Date().toISOString().slice(0, 10) })
  state.uninstall.push(
    ...watchMockTracker(nodeTest.mock, state.tracker, {
      onFileLevelMock: (mock, context) => guard.behaviour.watchContext(mock, context),
    }),
  )
  state.tracker.resolveCurrent = currentTest

  const refs = new Map<string, TestRef>()
  let begun = false

  function refOf(context: TestContext): TestRef {
    const id = idOf(context)
    let ref = refs.get(id)
    if (!ref) {
      const own = context.filePath === undefined ? file : moduleLabel(context.filePath, root)
      refs.set(id, (ref = { id, name: context.fullName, file: own }))
    }
    return ref
  }

  function currentTest(): TestRef | null | undefined {
    const context = (nodeTest as { getTestContext?: () => TestContext | undefined }).getTestContext?.()
    if (!context) return undefined
    return context.name === '<root>' ? undefined : refs.get(idOf(context))
  }

  nodeTest.beforeEach(async (context) => {
    const t = context as TestContext
    await loaded.collect()
    await guard.refresh()
    if (!begun) {
      begun = true
      watchSinonWhenLoaded(state, await loaded.sinon())
      guard.beginFile()
    }
    if (settings.failFast && session.leaked)
      t.skip('mockguard: an earlier test of this file left a mock behind (failFast)')
    session.timed(() => guard.beginTest(refOf(t), { hooksRan: true, parent: refs.get(parentId(t)) ?? null }))
  })

  nodeTest.afterEach((context) => {
    const t = context as TestContext
    t.after(async () => {
      await loaded.collect()
      const error = session.afterTest(refOf(t), { last: () => false })
      if (!error) return
      // node:test keeps the first error of a test only: the leak of a test that failed anyway is printed beside it.
      if (!t.passed || t.error) writeSync(2, `${error.message}\n`)
      else throw error
    })
  })

  process.on('exit', () => {
    if (!begun) return
    const errors = session.finish()
    uninstallAll(state)
    if (errors.length === 0) return
    writeSync(2, `${errors.map((error) => error.message).join('\n')}\n`)
    process.exitCode = 1
  })
}

/** Without isolation several files share a process, and two of them may well have a test of the same name. */
function idOf(context: TestContext): string {
  return `${context.filePath}:${context.fullName}`
}

function parentId(context: TestContext): string {
  const suffix = ` > ${context.name}`
  return context.fullName.endsWith(suffix) ? idOf(context).slice(0, -suffix.length) : ''
}
