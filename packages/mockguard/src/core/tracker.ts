import { AsyncLocalStorage } from 'node:async_hooks'
import { nativeObject } from './natives.ts'
import { isTransformedNamespace } from './scan.ts'
import type { Key } from './key.ts'
import type { Origin, TestRef } from './leak.ts'

/** Which setting of the runner undoes a mock before the next test (testkit.md B5). */
export type UndoneBy = 'mocks' | 'globals' | 'envs'

/** A mock that a creator installed in a known slot. Target and mock are held weakly. */
export interface Spy {
  readonly target: WeakRef<object>
  readonly key: Key
  readonly access: 'value' | 'get' | 'set'
  readonly mock: WeakRef<object>
  readonly origin: Origin
  readonly undoneBy: UndoneBy | null
  /** Undone by the runner later than any hook can look (node:test's `t.mock`). */
  readonly late: boolean
}

export interface Clock {
  readonly library: string
  readonly origin: Origin
  readonly isOn: () => boolean
  readonly undo: () => void
}

export interface RegistryMock {
  readonly id: string
  readonly origin: Origin
  readonly undo: () => void
}

/**
 * Remembers what was made by whom, for as long as it exists and no longer: originals hang on their target, origins on
 * their mock, so that a test-local object can be collected the moment the test lets go of it.
 */
export class Tracker {
  readonly #context = new AsyncLocalStorage<TestRef>()
  readonly #originals = new WeakMap<object, Map<Key, PropertyDescriptor | undefined>>()
  readonly #origins = new WeakMap<object, Origin>()
  readonly #stubs = new Map<string, { origin: Origin; undoneBy: UndoneBy; value: unknown }>()
  readonly registry = new Map<string, RegistryMock>()
  #spies: Spy[] = []
  #floating = new Map<string | null, number>()
  #sequential: TestRef | null = null
  clock: Clock | null = null
  /** Fake clocks that their runner switches off after the last hook of a test. */
  readonly lateClocks = new Set<object>()
  /** Something was spied or stubbed since the guard last looked: then the rarely patched places are worth a look too. */
  touched = false
  /** How many mocks were made since the process began: without any there is nothing to walk for. */
  made = 0

  /** A runner that knows the test of the running code better. Undefined when it does not. */
  resolveCurrent: (() => TestRef | null | undefined) | null = null

  current(): TestRef | null {
    return this.#context.getStore() ?? this.resolveCurrent?.() ?? this.#sequential
  }

  enter(test: TestRef | null): void {
    this.#sequential = test
  }

  within<T>(test: TestRef, body: () => T): T {
    return this.#context.run(test, body)
  }

  /** An origin with a trace that starts below `hide`. The text of the trace is made only when somebody asks. */
  origin(creator: string, hide: (...args: never[]) => unknown): Origin {
    const limit = Error.stackTraceLimit
    Error.stackTraceLimit = 14
    const trace: { stack?: string } = {}
    Error.captureStackTrace(trace, hide)
    Error.stackTraceLimit = limit
    return { creator, owner: this.current(), trace }
  }

  spied(
    spy: Omit<Spy, 'target' | 'mock'> & { target: object; mock: object; original: PropertyDescriptor | undefined },
  ): void {
    const { target, mock, original, ...rest } = spy
    this.touched = true
    this.made += 1
    let originals = this.#originals.get(target)
    if (!originals) this.#originals.set(target, (originals = new Map()))
    // A second spy on a spied slot keeps the first original; one that was undone since starts anew.
    const known = this.#spies.some((one) => one.target.deref() === target && one.key === spy.key && this.isActive(one))
    if (!known || !originals.has(spy.key)) originals.set(spy.key, original)
    if (!this.#origins.has(mock)) this.#origins.set(mock, spy.origin)
    this.#spies.push({ ...rest, target: new WeakRef(target), mock: new WeakRef(mock) })
  }

  floated(mock: object, origin: Origin): void {
    this.made += 1
    if (this.#origins.has(mock)) return
    this.#origins.set(mock, origin)
    const owner = origin.owner?.id ?? null
    this.#floating.set(owner, (this.#floating.get(owner) ?? 0) + 1)
  }

  stubbed(path: string, origin: Origin, undoneBy: UndoneBy, value: unknown): void {
    this.touched = true
    this.#stubs.set(path, { origin, undoneBy, value })
  }

  /** Who stubbed this, if what is there now is what the stub put. */
  stubOf(path: string, value: unknown): { origin: Origin; undoneBy: UndoneBy } | undefined {
    const stub = this.#stubs.get(path)
    return stub && nativeObject.is(stub.value, value) ? stub : undefined
  }

  originOf(mock: unknown): Origin | null {
    return (typeof mock === 'object' || typeof mock === 'function') && mock !== null
      ? (this.#origins.get(mock) ?? null)
      : null
  }

  originalOf(target: object, key: Key): { readonly descriptor: PropertyDescriptor | undefined } | undefined {
    const originals = this.#originals.get(target)
    return originals?.has(key) === true ? { descriptor: originals.get(key) } : undefined
  }

  /** Whether mocks were made by this test that sit in no known slot: only then is a scan worth its time. */
  floatedDuring(test: TestRef): boolean {
    return (this.#floating.get(test.id) ?? 0) > 0
  }

  spies(): readonly Spy[] {
    return this.#spies
  }

  /** Spies that still are where they were put. Those that are not are forgotten. */
  sweep(): readonly Spy[] {
    this.#spies = this.#spies.filter((spy) => this.isActive(spy))
    return this.#spies
  }

  forgetTest(test: TestRef): void {
    this.#floating.delete(test.id)
  }

  isActive(spy: Spy): boolean {
    const target = spy.target.deref()
    const mock = spy.mock.deref()
    if (!target || !mock) return false
    const now = descriptorOf(target, spy.key)
    if (!now) return false
    if (now.value === mock || now.get === mock || now.set === mock) return true
    const original = this.#originals.get(target)?.get(spy.key)
    // A namespace of the runner holds a getter that returns the mock; sinon's accessor stubs carry no mark at all.
    const marked =
      isTransformedNamespace(target) ||
      original?.get !== undefined ||
      /^(sinon|.*\.(property|replaceProperty)$)/.test(spy.origin.creator)
    return marked && !sameDescriptor(now, original)
  }
}

export function descriptorOf(target: object, key: Key): PropertyDescriptor | undefined {
  try {
    return nativeObject.getOwnPropertyDescriptor(target, key)
  } catch {
    // A namespace entry that is not initialised, or a revoked proxy: there is nothing to compare.
    return undefined
  }
}

export function sameDescriptor(a: PropertyDescriptor | undefined, b: PropertyDescriptor | undefined): boolean {
  if (a === undefined || b === undefined) return a === b
  return nativeObject.is(a.value, b.value) && a.get === b.get && a.set === b.set
}
