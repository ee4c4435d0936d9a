import { writeSync } from '../core/natives.ts'
import { watchVi } from '../creators/vitest.ts'
import { watchSinonWhenLoaded } from '../creators/sinon.ts'
import type { Leak, TestRef } from '../core/leak.ts'
import { moduleLabel } from '../core/roots.ts'
import type { UndoneBy } from '../core/tracker.ts'
import type { DanglingMockError } from '../guard/error.ts'
import { Guard } from '../guard/guard.ts'
import { resolveSettings } from '../guard/options.ts'
import type { Settings } from '../guard/options.ts'
import { processState, uninstallAll } from '../guard/process-state.ts'
import { Session } from '../guard/session.ts'
import { decodeOptions } from './options-codec.ts'
import type { EncodedOptions } from './options-codec.ts'
import { commonJsRoots, evaluatedModules, mapByInlineSource, sinonModules, usageOf, vitestRoots } from './modules.ts'

/** What mockguard reads of Vitest's tasks. */
export interface VitestTask {
  readonly id: string
  readonly name: string
  readonly type?: string
  readonly mode?: string
  readonly fails?: boolean
  readonly concurrent?: boolean
  readonly retry?: number | { readonly count?: number }
  readonly repeats?: number
  readonly suite?: VitestTask
  readonly file?: VitestTask & { readonly filepath: string }
  readonly tasks?: readonly VitestTask[]
  readonly result?: { readonly state?: string; readonly retryCount?: number; readonly repeatCount?: number }
  readonly location?: { readonly line: number }
}

export interface VitestConfig {
  readonly root?: string
  readonly restoreMocks?: boolean
  readonly mockReset?: boolean
  readonly unstubGlobals?: boolean
  readonly unstubEnvs?: boolean
}

export interface VitestHost {
  readonly vi: object
  readonly options: EncodedOptions | undefined
  readonly globals: object
}

/** The guard of one Vitest file, or null when it is off. Called by the set-up file before the test file is imported. */
export function openFile(host: VitestHost): VitestFile | null {
  const worker = (host.globals as { __vitest_worker__?: { config?: VitestConfig; filepath?: string } })
    .__vitest_worker__
  const root = worker?.config?.root ?? process.cwd()
  const settings = resolveSettings(decodeOptions(host.options), root)
  if (settings.mode === 'off') return null
  return new VitestFile(host, settings, worker?.config ?? {}, worker?.filepath ?? '')
}

const ownFolder = new URL('..', import.meta.url).pathname
const ownFile = (file: string): boolean =>
  file.replace(/^file:\/\//, '').startsWith(ownFolder) && !file.includes('/fixtures/')

export class VitestFile {
  readonly session: Session
  readonly #guard: Guard
  readonly #file: string
  readonly #globals: object
  readonly #attempts = new Map<string, { task: VitestTask; error: DanglingMockError }>()
  readonly #refs = new WeakMap<VitestTask, TestRef>()
  #concurrent = 0
  #lastSuite: VitestTask | undefined | null = null

  constructor(host: VitestHost, settings: Settings, config: VitestConfig, filepath: string) {
    this.#file = moduleLabel(filepath, settings.root)
    this.#globals = host.globals
    const state = processState()
    const map = evaluatedModules(host.globals)
    if (!map)
      warnOnce(
        'mockguard: this Vitest keeps its modules in a way that is not known: only creators and watched targets are checked',
      )
    const guard = new Guard(
      state.tracker,
      {
        realm: { globals: host.globals, process },
        roots: () => [
          ...vitestRoots(evaluatedModules(host.globals) ?? new Map(), settings.root, ownFile),
          ...commonJsRoots(settings.root, ownFile),
        ],
        undoneBetweenTests: undoneBy(config),
        ...(map ? usageOf(host.globals) : {}),
      },
      { ...settings, restores: settings.mode === 'restore' || settings.mode === 'restore+fail' },
    )
    this.#guard = guard
    this.session = new Session(settings, guard, {
      file: this.#file,
      today: new Date().toISOString().slice(0, 10),
      spool: host.options?.spool ?? null,
      mapPosition: map ? mapByInlineSource(map) : undefined,
    })
    uninstallAll(state)
    state.uninstall.push(
      ...watchVi(host.vi, state.tracker, {
        onFileLevelMock: (mock) => guard.behaviour.watch(mock),
        onQueuesReset: () => guard.behaviour.forgetQueues(),
      }),
    )
    guard.carry(state.left.map(({ leak }) => leak))
    for (const { leak, file } of state.left.filter(({ leak: one }) => one.isPresent())) {
      writeSync(2, `mockguard: ${leak.path} is still mocked in ${this.#file}: left behind by ${file}\n`)
    }
  }

  /** After collection, before the first hook. */
  async begin(): Promise<void> {
    await this.#guard.refresh()
    this.session.timed(() => {
      watchSinonWhenLoaded(processState(), sinonModules(this.#globals))
      this.#guard.beginFile()
    })
  }

  async beforeTest(task: VitestTask, skip: (reason: string) => void): Promise<void> {
    if (this.session.settings.failFast && this.session.leaked)
      skip('mockguard: an earlier test of this file left a mock behind (failFast)')
    await this.#guard.refresh()
    // Hooks of a suite run only where one suite is left for another; hooks of a test are the test's own.
    const hooksRan = task.suite !== this.#lastSuite || task.concurrent === true
    this.#lastSuite = task.suite
    this.session.timed(() => this.#guard.beginTest(this.#ref(task), { hooksRan }))
  }

  within<T>(task: VitestTask, body: () => T): T {
    if (isConcurrent(task)) this.#concurrent += 1
    return processState().tracker.within(this.#ref(task), body)
  }

  /** Throws DanglingMockError when the test has to fail. */
  afterTest(task: VitestTask): void {
    const concurrent = isConcurrent(task)
    if (concurrent) this.#concurrent -= 1
    if (task.result?.state === 'skip') return this.#guard.abandon()
    const error = this.session.afterTest(this.#ref(task), {
      last: () => isLast(task),
      concurrent: concurrent && this.#concurrent > 0,
    })
    if (!error) return
    if (task.fails === true) return this.session.postpone(error)
    // A retry compares with the first attempt: what that left is reported even if a later attempt passes.
    if (!this.#attempts.has(task.id) && mayRunAgain(task)) this.#attempts.set(task.id, { task, error })
    throw error
  }

  /** Throws when the file has to fail. */
  end(): void {
    for (const { task, error } of this.#attempts.values()) {
      if (task.result?.state === 'pass') this.session.postpone(error)
    }
    const errors = this.session.finish()
    const state = processState()
    state.left = [
      ...state.left.filter(({ leak }) => leak.isPresent()),
      ...this.session.left().map((leak) => ({ leak, file: this.#file })),
    ]
    uninstallAll(state)
    if (errors.length === 1) throw errors[0]
    if (errors.length > 1) throw new AggregateError(errors, errors.map((error) => error.message).join('\n'))
  }

  /** Leaks of this file that are still there, for a block's own assertion. */
  present(): Leak[] {
    return this.session.left()
  }

  #ref(task: VitestTask): TestRef {
    let ref = this.#refs.get(task)
    if (!ref) this.#refs.set(task, (ref = this.#makeRef(task)))
    return ref
  }

  #makeRef(task: VitestTask): TestRef {
    const names: string[] = []
    for (let at: VitestTask | undefined = task; at && at.type !== 'file' && !('filepath' in at); at = at.suite)
      names.unshift(at.name)
    return { id: task.id, name: names.join(' > '), file: this.#file, line: task.location?.line }
  }
}

function undoneBy(config: VitestConfig): ReadonlySet<UndoneBy> {
  const set = new Set<UndoneBy>()
  if (config.restoreMocks === true) set.add('mocks')
  if (config.unstubGlobals === true) set.add('globals')
  if (config.unstubEnvs === true) set.add('envs')
  return set
}

function isConcurrent(task: VitestTask): boolean {
  return task.concurrent === true
}

function retriesOf(task: VitestTask): number {
  return typeof task.retry === 'number' ? task.retry : (task.retry?.count ?? 0)
}

function mayRunAgain(task: VitestTask): boolean {
  return (task.result?.retryCount ?? 0) < retriesOf(task) || (task.result?.repeatCount ?? 0) < (task.repeats ?? 0)
}

/** Nothing of this file runs after this attempt: the runner's own restoring, which comes before each test, will not come. */
function isLast(task: VitestTask): boolean {
  if (mayRunAgain(task) && task.result?.state === 'fail') return false
  if ((task.result?.repeatCount ?? 0) < (task.repeats ?? 0)) return false
  // Backwards, because what has not run yet stands at the end: the first look answers.
  return allTests(task.file ?? task).every(
    (one) => one === task || !(one.mode === 'run' || one.mode === 'queued') || isDone(one),
  )
}

function isDone(task: VitestTask): boolean {
  const state = task.result?.state
  return state === 'pass' || state === 'fail' || state === 'skip'
}

function* allTests(task: VitestTask): Generator<VitestTask> {
  if (!task.tasks) yield task
  for (const child of (task.tasks ?? []).toReversed()) yield* allTests(child)
}

let warned = false
function warnOnce(text: string): void {
  if (!warned) writeSync(2, `${text}\n`)
  warned = true
}
