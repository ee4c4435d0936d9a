import { strictKinds } from '../core/leak.ts'
import type { Leak, TestRef } from '../core/leak.ts'
import type { Spy, Tracker, UndoneBy } from '../core/tracker.ts'
import type { Adapter, GuardOptions } from './adapter.ts'
import { BehaviourWatch } from './behaviour.ts'
import { clockLeak, isTimer } from './clock.ts'
import { Findings } from './findings.ts'
import { spyLeak } from './leaks.ts'
import { ModuleWalks } from './module-walks.ts'
import { Reported } from './reported.ts'
import { SharedPlaces } from './shared-places.ts'
import { behaviourLeaks, registryLeaks } from './special-leaks.ts'

export interface Blamed {
  readonly leak: Leak
  /** Null where no single test can be blamed. */
  readonly test: TestRef | null
}

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
  readonly #places: SharedPlaces
  readonly #walks: ModuleWalks
  readonly #reported = new Reported()
  #deferred: Blamed[] = []
  #kept: Leak[] = []
  #running = 0
  /** The test that runs, and those it runs inside of. */
  #nest: { readonly test: TestRef; readonly pending: Leak[] }[] = []

  constructor(tracker: Tracker, adapter: Adapter, options: GuardOptions) {
    this.tracker = tracker
    this.#adapter = adapter
    this.#options = options
    this.behaviour = new BehaviourWatch(() => tracker.current())
    this.#places = new SharedPlaces(tracker, adapter, options)
    this.#walks = new ModuleWalks(tracker, adapter, options, this.#places)
  }

  /** Looks at built-in modules that were loaded since the last call. */
  refresh(): Promise<void> {
    return this.#places.refresh()
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
    this.#places.beginFile()
    this.#deferred = []
    this.#kept = []
    this.#running = 0
    this.#nest = []
    if (this.#options.scan !== 'tracked') {
      const { emitters, slots } = this.#walks.takeIndex()
      for (const { target, path } of emitters) this.#places.watchEmitter(target, path)
      for (const slot of slots) this.behaviour.watch(slot.mock)
    }
    this.behaviour.absorb()
  }

  /** `hooksRan`: code of the file may have run since the last test; when not, what was last seen still holds. */
  beginTest(test: TestRef, options: { hooksRan: boolean; parent?: TestRef | null } = { hooksRan: true }): void {
    const outer = this.#nest.at(-1)
    if (outer && options.parent && outer.test.id === options.parent.id && this.#running === this.#nest.length) {
      // A subtest: what its parent did until now is the parent's.
      outer.pending.push(...this.#places.changes())
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
    if (options.hooksRan || this.#deferred.length > 0) this.#places.changes(this.#options.strict)
    this.behaviour.absorb()
    if (this.#options.scan === 'test') this.#walks.takeIndex()
  }

  /** `last`: no further test of this file will run, so the runner will undo nothing any more. */
  endTest(test: TestRef, options: { last: () => boolean; concurrent?: boolean }): Leak[] {
    const nested = this.#nest.at(-1)?.test.id === test.id && this.#running === this.#nest.length
    this.#running -= 1
    const alone = nested && options.concurrent !== true
    const found = new Findings()
    const pending = this.#leave(test)
    for (const leak of pending) if (leak.isPresent()) found.add(leak)
    this.#places.promote()
    const everything = this.#options.strict || this.tracker.touched || this.tracker.floatedDuring(test)
    if (alone || this.#running === 0)
      for (const leak of this.#places.changes(everything)) {
        if (!alone || !this.#isOf(leak, test)) continue
        if (this.#isLate(leak)) this.#deferred.push({ leak, test })
        else found.add(leak)
      }
    this.tracker.touched = false
    for (const spy of this.#spiesOf(test)) found.addSpy(this.tracker, spy, this.#walks.locate(spy))
    if (!found.leaks().some((leak) => leak.kind === 'K8')) found.add(clockLeak(this.tracker, test))
    for (const leak of registryLeaks(this.tracker, test)) found.add(leak)
    for (const leak of this.#walks.floating(test)) found.add(leak)
    if (alone) for (const leak of behaviourLeaks(this.behaviour, this.tracker, this.#walks.index, test)) found.add(leak)
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
    this.#places.changes()
    this.#walks.forgetNames()
    for (const { key, leak } of this.#places.stillChanged()) {
      if (!this.#reported.hasSlot(leak.owner, key)) push(leak, leak.origin?.owner ?? null)
    }
    for (const spy of this.tracker.sweep()) {
      if (spy.late && spy.origin.owner === null) continue
      const located = this.#walks.locate(spy, true)
      if (located && !located.mocked) push(spyLeak(this.tracker, spy, located), spy.origin.owner)
    }
    if (!this.#clockReported()) push(clockLeak(this.tracker, null), this.tracker.clock?.origin.owner ?? null)
    for (const leak of registryLeaks(this.tracker, null)) push(leak, leak.origin?.owner ?? null)
    for (const leak of this.#walks.atEnd()) push(leak, leak.origin?.owner ?? null)
    for (const { leak } of blamed) this.#reported.add(leak)
    this.#walks.clear()
    this.behaviour.clear()
    return blamed
  }

  /** After leaks were undone: what is there now is the state that later changes are compared with. */
  settle(undone: readonly Leak[]): void {
    for (const leak of undone) this.#reported.forget(leak)
    this.#places.changes()
    this.behaviour.absorb()
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
    return this.#options.strict || !this.#places.isRare(leak.owner)
  }

  #spiesOf(test: TestRef): Spy[] {
    return this.tracker.sweep().filter((spy) => spy.origin.owner?.id === test.id && !spy.late)
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
    return this.#reported.hasKey('fake timers') || this.#places.hadFakeClock()
  }
}
