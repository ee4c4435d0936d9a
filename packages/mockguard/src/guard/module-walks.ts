import { hasRecognizers } from '../core/is-mock.ts'
import type { Key } from '../core/key.ts'
import type { Leak, Origin, TestRef } from '../core/leak.ts'
import { nativeObject } from '../core/natives.ts'
import { scan } from '../core/scan.ts'
import type { Located } from '../core/places.ts'
import type { Scan } from '../core/scan.ts'
import type { Spy, Tracker } from '../core/tracker.ts'
import type { Adapter, GuardOptions } from './adapter.ts'
import { slotLeak } from './leaks.ts'
import { ScanBudget } from './scan-budget.ts'
import type { SharedPlaces } from './shared-places.ts'
import { builtinRoots } from './watched-targets.ts'

/** Deep enough to name what a tracked spy sits on (the tracker finds at any depth, testkit.md M-4). */
const namingDepth = 7

/** The modules of one file, walked for mocks and for the names of what was spied. */
export class ModuleWalks {
  readonly #tracker: Tracker
  readonly #adapter: Adapter
  readonly #options: GuardOptions
  readonly #places: SharedPlaces
  readonly #budget = new ScanBudget()
  /** What was there when the file began, or with `scan: 'test'` when the test began. */
  #index: Scan | null = null
  #naming: Scan | null = null

  constructor(tracker: Tracker, adapter: Adapter, options: GuardOptions, places: SharedPlaces) {
    this.#tracker = tracker
    this.#adapter = adapter
    this.#options = options
    this.#places = places
  }

  get index(): Scan | null {
    return this.#index
  }

  /** Takes what is reachable now as given. */
  takeIndex(): Scan {
    this.#index = this.#scan(this.#options.depth, true)
    return this.#index
  }

  /** Names are looked up anew: what hooks and later tests have loaded is reachable by now. */
  forgetNames(): void {
    this.#naming = null
  }

  /** All mocks that are reachable when a file ends. */
  atEnd(): Leak[] {
    if (this.#options.scan === 'tracked' || !this.#mayHoldMocks()) return []
    return this.#leaksIn(this.#scan(this.#options.depth))
  }

  clear(): void {
    this.#index = null
    this.#naming = null
  }

  /** How the object is called that a spy sits on; `force` walks even if that was done often already. */
  locate(spy: Spy, force = false): Located | undefined {
    const target = spy.target.deref()
    if (!target) return undefined
    const watched = this.#places.pathOf(target)
    if (watched !== undefined)
      return { path: watched, also: [], mocked: false, place: watched.endsWith('.prototype') ? 'class' : 'member' }
    const known = this.#index?.pathsOf(target) ?? this.#naming?.pathsOf(target)
    if (known || (!force && !this.#budget.allows(this.#options.scan))) return known
    if (force && this.#naming) return undefined
    this.#naming = this.#scan(Math.max(namingDepth, this.#options.depth))
    return this.#naming.pathsOf(target)
  }

  /** Mocks made during the test that somebody assigned somewhere. */
  floating(test: TestRef): Leak[] {
    const full = this.#options.scan === 'test'
    if (
      !full &&
      (this.#options.scan === 'tracked' || !this.#tracker.floatedDuring(test) || !this.#budget.allows('file'))
    )
      return []
    const before = this.#index
    const now = this.#scan(this.#options.depth)
    const known = new Map<object, Map<Key, object>>()
    for (const slot of before?.slots ?? []) {
      if (!known.has(slot.owner)) known.set(slot.owner, new Map())
      known.get(slot.owner)!.set(slot.key, slot.mock)
    }
    return this.#leaksIn(now).filter((leak) => {
      const owner = leak.origin?.owner
      if (full && known.get(leak.owner)?.get(leak.key) !== leak.identity)
        return owner === undefined || owner === null || owner.id === test.id
      return owner?.id === test.id
    })
  }

  #leaksIn(found: Scan): Leak[] {
    const ofFile = new Set<object>()
    for (const slot of found.slots) if (slot.mocked) ofFile.add(slot.mock)
    const leaks: Leak[] = []
    for (const slot of found.slots) {
      if (slot.mocked || ofFile.has(slot.mock) || this.#places.has(slot.owner)) continue
      const prototype = nativeObject.getPrototypeOf(slot.owner) as object | null
      // An instance of a class that the file has mocked: its methods are mocks because the file said so.
      if (prototype && found.pathsOf(prototype)?.mocked === true) continue
      if (madeByModuleMock(this.#tracker.originOf(slot.mock))) continue
      const spy = this.#tracker
        .spies()
        .find((one) => one.mock.deref() === slot.mock && one.target.deref() === slot.owner)
      if (spy?.late === true) continue
      leaks.push(slotLeak(this.#tracker, slot, this.#memberBefore(slot.owner, slot.key, slot.mock)))
    }
    return leaks
  }

  #scan(depth: number, capture = false): Scan {
    const inUse = (id: string): boolean => this.#adapter.usesBuiltin?.(id) !== false
    return this.#budget.measure(() => scan([...this.#adapter.roots(), ...builtinRoots(inUse)], { depth, capture }))
  }

  /** A walk finds mocks, and mocks come from creators that are watched or from libraries that are known by name. */
  #mayHoldMocks(): boolean {
    if (this.#options.scan === 'test' || this.#tracker.made > 0 || hasRecognizers()) return true
    return (this.#index?.slots.length ?? 0) > 0 || this.#adapter.hasOtherMocks?.() !== false
  }

  /** What a slot held when the file began, unless the mock was in it already. */
  #memberBefore(
    owner: object,
    key: Key,
    mock: object,
  ): { readonly descriptor: PropertyDescriptor | undefined } | undefined {
    const member = this.#index?.memberOf(owner, key)
    return member?.descriptor?.value === mock ? undefined : member
  }
}

/** Made by the factory of a mocked module: it stands for that module, in whatever hands it is. */
function madeByModuleMock(origin: Origin | null): boolean {
  return /ManualMockedModule|callFunctionMock|requireMock|importMock|[\\/]@?vitest[\\/]mocker/.test(
    origin?.trace.stack ?? '',
  )
}
