import { nativeObject } from '../core/natives.ts'
import { hasRecognizers } from '../core/is-mock.ts'
import type { Key } from '../core/key.ts'
import { strictKinds } from '../core/leak.ts'
import type { Leak, Origin, TestRef } from '../core/leak.ts'
import type { Root } from '../core/roots.ts'
import { scan } from '../core/scan.ts'
import type { Located, Scan } from '../core/scan.ts'
import { SlotTable } from '../core/slots.ts'
import type { Spy, Tracker, UndoneBy } from '../core/tracker.ts'
import { BehaviourWatch } from './behaviour.ts'
import { clockLeak, foldTimers, isTimer } from './clock.ts'
import { changeLeak, slotLeak, spyLeak, stateLeak } from './leaks.ts'
import { Findings } from './findings.ts'
import { Reported } from './reported.ts'
import { ScanBudget } from './scan-budget.ts'
import { environmentSensor, ListenerSensor, processSensor } from './sensors.ts'
import type { Sensor } from './sensors.ts'
import {
  builtinNamespaces,
  builtinRoots,
  builtinsLoaded,
  builtinTargets,
  loadNamedBuiltins,
  madeTargets,
  watchedTargets,
} from './watched-targets.ts'
import type { Realm } from './watched-targets.ts'
import { behaviourLeaks, registryLeaks } from './special-leaks.ts'

/** What a runner tells about itself. */
export interface Adapter {
  readonly realm: Realm
  /** The modules that are loaded now. */
  roots(): Root[]
  /** What the runner's own configuration undoes before the next test. */
  readonly undoneBetweenTests: ReadonlySet<UndoneBy>
  /** Whether code of the program imports this built-in module. When absent, all count as imported. */
  readonly usesBuiltin?: (id: string) => boolean
  /** Changes when a module was loaded: until then what is imported stays the same. */
  readonly modulesLoaded?: () => number
  /** Whether something other than the watched creators may have made mocks. When absent, it may. */
  readonly hasOtherMocks?: () => boolean
  /** Whether code of the program names a member that matches. When absent, it may. */
  readonly mentions?: (name: RegExp) => boolean
}

export interface GuardOptions {
  readonly depth: number
  readonly scan: 'tracked' | 'file' | 'test'
  readonly strict: boolean
  readonly onlyUnique: boolean
  /** What is found will be put back, so what was there has to be known. */
  readonly restores: boolean
}

export interface Blamed {
  readonly leak: Leak
  /** Null where no single test can be blamed. */
  readonly test: TestRef | null
}

/** Deep enough to name what a tracked spy sits on (the tracker finds at any depth, testkit.md M-4). */
const namingDepth = 7

/**
 * One file's life under guard.
 *
 *   beginFile ─▶ (beginTest ─▶ endTest)* ─▶ endFile
 *
 * `beginTest` takes what is there as given: what hooks of the file did is the file's, not the test's. `endTest` returns
 * what this test added and left. `endFile` returns the rest: what hooks left, what only a walk of all modules shows, and
 * what the runner was expected to undo and did not.
 *
 * Invariant: a mock in a slot is returned once per file (unless `onlyUnique` is off), and never because it was looked at:
 * no method here changes what it inspects.
 */
export class Guard {
  readonly tracker: Tracker
  readonly behaviour: BehaviourWatch
  readonly #adapter: Adapter
  readonly #options: GuardOptions
  readonly #slots = new SlotTable()
  readonly #listeners = new ListenerSensor()
  #sensors: Sensor[]
  readonly #budget = new ScanBudget()
  readonly #reported = new Reported()
  readonly #first = new Map<object, Map<Key, Leak>>()
  #deferred: Blamed[] = []
  #kept: Leak[] = []
  #builtins = -1
  #modules = -1
  #promoted = -1
  readonly #namespaces = new Set<string>()
  readonly #defaults = new Map<string, object>()
  #running = 0
  /** The test that runs, and those it runs inside of. */
  #nest: { readonly test: TestRef; readonly pending: Leak[] }[] = []
  #index: Scan | null = null
  #naming: Scan | null = null
  #members: Scan | null = null

  constructor(tracker: Tracker, adapter: Adapter, options: GuardOptions) {
    this.tracker = tracker
    this.#adapter = adapter
    this.#options = options
    this.behaviour = new BehaviourWatch(() => tracker.current())
    this.#sensors = [this.#listeners]
  }

  /** Looks at built-in modules that were loaded since the last call. */
  async refresh(): Promise<void> {
    if (this.#sensors.length === 1) {
      loadNamedBuiltins(this.#adapter.mentions)
      this.#watchAll()
    }
    if (!this.#lookAtBuiltins()) return
    // Only this module can bring the namespaces of the others up to date, and so out of step.
    if (!this.#options.strict && this.#adapter.usesBuiltin?.('module') === false) return
    const missing = [...this.#defaults.keys()].filter((id) => !this.#namespaces.has(id))
    for (const id of missing) this.#namespaces.add(id)
    for (const target of await builtinNamespaces(missing)) this.#slots.watch(target)
  }

  /** What is there when a file begins is what its tests are compared with. */
  #watchAll(): void {
    const { realm } = this.#adapter
    const { strict } = this.#options
    this.#sensors = [environmentSensor(realm), this.#listeners, ...(strict ? [processSensor()] : [])]
    for (const target of watchedTargets(realm)) {
      // Well-known prototypes are compared only when strict; otherwise they only lend their name to what is spied there.
      this.#slots.watch(target, { compare: strict || target.rare !== true })
    }
    for (const target of madeTargets(realm)) this.#slots.watch(target)
    const { process } = realm
    for (const [target, path] of [
      [process, 'process#'],
      [process.stdout, 'process#stdout'],
      [process.stderr, 'process#stderr'],
    ] as const) {
      this.#listeners.watch(target, path)
    }
  }

  /** Whether there is anything new since the last call. */
  #lookAtBuiltins(): boolean {
    const loaded = builtinsLoaded()
    const isNew = loaded !== this.#builtins
    if (isNew) {
      this.#builtins = loaded
      for (const target of madeTargets(this.#adapter.realm)) this.#slots.watch(target, { given: {} })
      for (const { id, targets } of builtinTargets({ everything: this.#options.strict })) {
        if (this.#defaults.has(id)) continue
        this.#defaults.set(id, targets[0]!.target)
        for (const target of targets) this.#slots.watch(target)
      }
    }
    this.#promote()
    return isNew || this.#namespaces.size < this.#defaults.size
  }

  /** What the program imports is compared after every test. */
  #promote(): void {
    const modules = this.#adapter.modulesLoaded?.() ?? 0
    if (modules === this.#modules && this.#promoted === this.#defaults.size) return
    this.#modules = modules
    this.#promoted = this.#defaults.size
    for (const [id, target] of this.#defaults) {
      if (this.#adapter.usesBuiltin?.(id) !== false) this.#slots.promote(target)
    }
  }

  /** What earlier files of the process left is theirs. */
  carry(leaks: readonly Leak[]): void {
    for (const leak of leaks) if (leak.isPresent()) this.#reported.add(leak)
  }

  /** The test turned out to be skipped: nothing is checked, and what it did counts as given. */
  abandon(): void {
    this.#running = Math.max(0, this.#running - 1)
    this.#nest.pop()
    this.tracker.enter(this.#nest.at(-1)?.test ?? null)
  }

  beginFile(): void {
    this.#first.clear()
    this.#deferred = []
    this.#kept = []
    this.#running = 0
    this.#nest = []
    if (this.#options.restores) {
      const { mentions } = this.#adapter
      this.#slots.read((key) => mentions?.(new RegExp(`\\b${String(key)}\\b`)) !== false)
    }
    if (this.#options.scan !== 'tracked') {
      this.#index = this.#scan(this.#options.depth, true)
      this.#members = this.#index
      for (const { target, path } of this.#index.emitters) this.#listeners.watch(target, path)
      for (const slot of this.#index.slots) this.behaviour.watch(slot.mock)
    }
    this.behaviour.absorb()
  }

  /** `hooksRan`: code of the file may have run since the last test; when not, what was last seen still holds. */
  beginTest(test: TestRef, options: { hooksRan: boolean; parent?: TestRef | null } = { hooksRan: true }): void {
    const outer = this.#nest.at(-1)
    if (outer && options.parent && outer.test.id === options.parent.id && this.#running === this.#nest.length) {
      // A subtest: what its parent did until now is the parent's.
      outer.pending.push(...this.#changes())
      this.#nest.push({ test, pending: [] })
      this.#running += 1
      this.tracker.enter(test)
      this.behaviour.absorb()
      return
    }
    this.#running += 1
    if (this.#running > 1) return
    this.#nest.push({ test, pending: [] })
    this.tracker.enter(test)
    if (options.hooksRan || this.#deferred.length > 0) this.#changes(this.#options.strict)
    this.behaviour.absorb()
    if (this.#options.scan === 'test') this.#index = this.#members = this.#scan(this.#options.depth, true)
  }

  /** `last`: no further test of this file will run, so the runner will undo nothing any more. */
  endTest(test: TestRef, options: { last: () => boolean; concurrent?: boolean }): Leak[] {
    const nested = this.#nest.at(-1)?.test.id === test.id && this.#running === this.#nest.length
    this.#running -= 1
    const alone = nested && options.concurrent !== true
    const found = new Findings()
    const pending = this.#leave(test)
    for (const leak of pending) if (leak.isPresent()) found.add(leak)
    this.#promote()
    const everything = this.#options.strict || this.tracker.touched || this.tracker.floatedDuring(test)
    if (alone || this.#running === 0)
      for (const leak of this.#changes(everything)) {
        if (!alone || !this.#isOf(leak, test)) continue
        if (this.#isLate(leak)) this.#deferred.push({ leak, test })
        else found.add(leak)
      }
    this.tracker.touched = false
    for (const spy of this.#spiesOf(test)) found.addSpy(this.tracker, spy, this.#locate(spy))
    if (!found.leaks().some((leak) => leak.kind === 'K8')) found.add(clockLeak(this.tracker, test))
    for (const leak of registryLeaks(this.tracker, test)) found.add(leak)
    for (const leak of this.#floating(test)) found.add(leak)
    if (alone) for (const leak of behaviourLeaks(this.behaviour, this.tracker, this.#index, test)) found.add(leak)
    this.tracker.enter(this.#nest.at(-1)?.test ?? null)
    this.tracker.forgetTest(test)
    const fresh = found.leaks().filter((leak) => this.#isNew(leak))
    const kept: Leak[] = []
    for (const leak of fresh) {
      const undoneBy = this.#undoneBy(leak)
      if (undoneBy !== null && this.#adapter.undoneBetweenTests.has(undoneBy) && !options.last())
        this.#deferred.push({ leak, test })
      else kept.push(leak)
    }
    for (const leak of kept) this.#reported.add(leak)
    const again = this.#options.onlyUnique ? [] : this.#kept.filter((leak) => leak.isPresent())
    this.#kept.push(...kept)
    return [...kept, ...again]
  }

  endFile(): Blamed[] {
    const blamed: Blamed[] = []
    const found = new Findings()
    for (const { leak, test } of this.#deferred) {
      if (leak.isPresent() && this.#isNew(leak) && found.add(leak)) blamed.push({ leak, test })
    }
    const push = (leak: Leak | null, test: TestRef | null): void => {
      if (leak && this.#isNew(leak) && found.add(leak)) blamed.push({ leak, test })
    }
    this.#changes()
    this.#naming = null
    for (const [owner, keys] of this.#first) {
      for (const [key, leak] of keys) {
        if (leak.isPresent() && !this.#reported.hasSlot(owner, key)) push(leak, leak.origin?.owner ?? null)
      }
    }
    for (const spy of this.tracker.sweep()) {
      if (spy.late && spy.origin.owner === null) continue
      const located = this.#locate(spy, true)
      if (located && !located.mocked) push(spyLeak(this.tracker, spy, located), spy.origin.owner)
    }
    if (!this.#clockReported()) push(clockLeak(this.tracker, null), this.tracker.clock?.origin.owner ?? null)
    for (const leak of registryLeaks(this.tracker, null)) push(leak, leak.origin?.owner ?? null)
    if (this.#options.scan !== 'tracked' && this.#mayHoldMocks()) {
      const last = this.#scan(this.#options.depth)
      for (const leak of this.#scanned(last)) push(leak, leak.origin?.owner ?? null)
    }
    for (const { leak } of blamed) this.#reported.add(leak)
    this.#index = null
    this.#naming = null
    this.#members = null
    this.behaviour.clear()
    return blamed
  }

  /** After leaks were undone: what is there now is the state that later changes are compared with. */
  settle(undone: readonly Leak[]): void {
    for (const leak of undone) this.#reported.forget(leak)
    this.#changes()
    this.behaviour.absorb()
  }

  #changes(everything = true): Leak[] {
    const changed = this.#slots.changes({ everything })
    const stateChanges = this.#sensors.flatMap((sensor) => sensor.changes())
    if (changed.length === 0 && stateChanges.length === 0) return []
    const slots = foldTimers(this.tracker, changed, (change) => changeLeak(this.tracker, change))
    const states = stateChanges.map((change) => stateLeak(this.tracker, change))
    const leaks: Leak[] = []
    for (const leak of [...slots, ...states]) {
      let keys = this.#first.get(leak.owner)
      if (!keys) this.#first.set(leak.owner, (keys = new Map()))
      const slot = leak.kind === 'K11' ? Symbol('listener') : leak.key
      const first = keys.get(slot)
      if (!first) keys.set(slot, leak)
      // Back to what the file started with: that is a repair, whoever did it.
      else if (!first.isPresent()) continue
      leaks.push(leak)
    }
    return leaks
  }

  #leave(test: TestRef): Leak[] {
    const at = this.#nest.findIndex((one) => one.test.id === test.id)
    return at < 0 ? [] : this.#nest.splice(at, 1).flatMap((one) => one.pending)
  }

  /** Undone by the runner after every hook: looked at again when the file ends. */
  #isLate(leak: Leak): boolean {
    if (leak.kind === 'K8' || isTimer(leak.key)) return this.tracker.lateClocks.size > 0
    return this.tracker.spies().some((spy) => spy.late && spy.key === leak.key && spy.target.deref() === leak.owner)
  }

  /** A rarely compared place may have changed before this test: only what is known to be the test's is blamed on it. */
  #isOf(leak: Leak, test: TestRef): boolean {
    const owner = leak.origin?.owner
    if (owner) return owner.id === test.id
    return this.#options.strict || this.#slots.isRare(leak.owner) !== true
  }

  #spiesOf(test: TestRef): Spy[] {
    return this.tracker.sweep().filter((spy) => spy.origin.owner?.id === test.id && !spy.late)
  }

  #locate(spy: Spy, force = false): Located | undefined {
    const target = spy.target.deref()
    if (!target) return undefined
    const watched = this.#slots.pathOf(target)
    if (watched !== undefined)
      return { path: watched, also: [], mocked: false, place: watched.endsWith('.prototype') ? 'class' : 'member' }
    const known = this.#index?.pathsOf(target) ?? this.#naming?.pathsOf(target)
    if (known || (!force && !this.#budget.allows(this.#options.scan))) return known
    if (force && this.#naming) return undefined
    this.#naming = this.#scan(Math.max(namingDepth, this.#options.depth))
    return this.#naming.pathsOf(target)
  }

  /** Mocks made during the test that somebody assigned somewhere. */
  #floating(test: TestRef): Leak[] {
    const full = this.#options.scan === 'test'
    if (
      !full &&
      (this.#options.scan === 'tracked' || !this.tracker.floatedDuring(test) || !this.#budget.allows('file'))
    )
      return []
    const before = this.#index
    const now = this.#scan(this.#options.depth)
    const known = new Map<object, Map<Key, object>>()
    for (const slot of before?.slots ?? []) {
      if (!known.has(slot.owner)) known.set(slot.owner, new Map())
      known.get(slot.owner)!.set(slot.key, slot.mock)
    }
    return this.#scanned(now).filter((leak) => {
      const owner = leak.origin?.owner
      if (full && known.get(leak.owner)?.get(leak.key) !== leak.identity)
        return owner === undefined || owner === null || owner.id === test.id
      return owner?.id === test.id
    })
  }

  #scanned(found: Scan): Leak[] {
    const ofFile = new Set<object>()
    for (const slot of found.slots) if (slot.mocked) ofFile.add(slot.mock)
    const leaks: Leak[] = []
    for (const slot of found.slots) {
      if (slot.mocked || ofFile.has(slot.mock) || this.#slots.has(slot.owner)) continue
      const prototype = nativeObject.getPrototypeOf(slot.owner) as object | null
      // An instance of a class that the file has mocked: its methods are mocks because the file said so.
      if (prototype && found.pathsOf(prototype)?.mocked === true) continue
      if (madeByModuleMock(this.tracker.originOf(slot.mock))) continue
      const spy = this.tracker
        .spies()
        .find((one) => one.mock.deref() === slot.mock && one.target.deref() === slot.owner)
      if (spy?.late === true) continue
      leaks.push(slotLeak(this.tracker, slot, this.#memberBefore(slot.owner, slot.key, slot.mock)))
    }
    return leaks
  }

  #scan(depth: number, capture = false): Scan {
    const inUse = (id: string): boolean => this.#adapter.usesBuiltin?.(id) !== false
    return this.#budget.measure(() => scan([...this.#adapter.roots(), ...builtinRoots(inUse)], { depth, capture }))
  }

  /** A walk finds mocks, and mocks come from creators that are watched or from libraries that are known by name. */
  #mayHoldMocks(): boolean {
    if (this.#options.scan === 'test' || this.tracker.made > 0 || hasRecognizers()) return true
    return (this.#index?.slots.length ?? 0) > 0 || this.#adapter.hasOtherMocks?.() !== false
  }

  /** What a slot held when the file began, unless the mock was in it already. */
  #memberBefore(
    owner: object,
    key: Key,
    mock: object,
  ): { readonly descriptor: PropertyDescriptor | undefined } | undefined {
    const member = this.#members?.memberOf(owner, key)
    return member?.descriptor?.value === mock ? undefined : member
  }

  #undoneBy(leak: Leak): UndoneBy | null {
    const stub = this.tracker.stubOf(leak.path, leak.identity)
    if (stub) return stub.undoneBy
    if (leak.kind === 'K13') return 'mocks'
    const spy = this.tracker.spies().find((one) => one.mock.deref() === leak.identity && one.key === leak.key)
    return spy?.undoneBy ?? null
  }

  #isNew(leak: Leak): boolean {
    if (!this.#options.strict && strictKinds.has(leak.kind)) return false
    return !this.#reported.has(leak)
  }

  #clockReported(): boolean {
    return this.#reported.hasKey('fake timers') || this.#first.values().some((keys) => keys.has('fake timers'))
  }

  get scanMs(): number {
    return this.#budget.spentMs
  }
}

/** Made by the factory of a mocked module: it stands for that module, in whatever hands it is. */
function madeByModuleMock(origin: Origin | null): boolean {
  return /ManualMockedModule|callFunctionMock|requireMock|importMock|[\\/]@?vitest[\\/]mocker/.test(
    origin?.trace.stack ?? '',
  )
}
