import { nativeObject, nativeReflect } from '../core/natives.ts'
import { ownData } from '../core/is-mock.ts'
import type { TestRef } from '../core/leak.ts'

interface Prime {
  readonly owner: TestRef | null
  implementation: unknown
  used: boolean
  /** The call that takes it, where that is how it is queued. */
  readonly call?: number
}

interface Known {
  primed: Prime[]
  implementation: unknown
  /** Where the mock itself does not tell what it does: node:test. */
  readonly context?: NodeContext
}

/** A node:test mock's `mock`: it counts calls and takes behaviour, but tells nothing of it. */
interface NodeContext {
  /** The lasting implementation; undefined is the one it was made with. */
  lasting: unknown
  callCount(): number
  /** Back to the implementation it was made with, and nothing queued. */
  restore(): void
  become(implementation: unknown): void
}

/** What a mock that outlives its test was left with. */
export interface Behaviour {
  readonly mock: object
  /** The tests that queued one-shot results which nobody took. */
  readonly queued: readonly (TestRef | null)[]
  /** The implementation differs from the one before the test. */
  readonly changed: boolean
}

/**
 * K13 and K15: watches mocks that were made outside a test and therefore outlive it, for one-shot results that nobody
 * took (they survive `mockClear`) and for an implementation that one test changed for those after it.
 *
 * Vitest tells the implementation that the next call will use; Jest tells only the lasting one, so there the queued
 * function itself reports that it ran. node:test tells nothing: there it is remembered which call takes what.
 */
export class BehaviourWatch {
  readonly #known = new Map<object, Known>()
  readonly #current: () => TestRef | null

  constructor(current: () => TestRef | null) {
    this.#current = current
  }

  watch(mock: object): void {
    if (this.#known.has(mock)) return
    const known: Known = { primed: [], implementation: implementationOf(mock) }
    this.#known.set(mock, known)
    replaceOwn(mock, 'mockImplementationOnce', (once) => (implementation: unknown) => {
      const prime: Prime = { owner: this.#current(), implementation, used: false }
      if (!tellsNext(mock)) prime.implementation = reporting(implementation, prime)
      known.primed.push(prime)
      return nativeReflect.apply(once, mock, [prime.implementation])
    })
    for (const name of ['mockReset', 'mockRestore']) {
      replaceOwn(mock, name, (original) => (...args: unknown[]) => {
        known.primed = []
        return nativeReflect.apply(original, mock, args)
      })
    }
  }

  /** The same for a mock of node:test, which hides its behaviour in its `mock`. */
  watchContext(mock: object, context: object): void {
    if (this.#known.has(mock)) return
    const methods = ['callCount', 'restore', 'mockImplementation', 'mockImplementationOnce', 'resetCalls'] as const
    const [callCount, restore, become, once, resetCalls] = methods.map(
      (name) => nativeReflect.get(context, name) as unknown,
    )
    if (![callCount, restore, become, once, resetCalls].every((method) => typeof method === 'function')) return
    const call = (method: unknown, ...args: unknown[]): unknown => nativeReflect.apply(method as Method, context, args)
    const state: NodeContext = {
      lasting: undefined,
      callCount: () => Number(call(callCount)),
      restore: () => void call(restore),
      become: (implementation) => void call(become, implementation),
    }
    const known: Known = { primed: [], implementation: undefined, context: state }
    this.#known.set(mock, known)
    shadow(context, 'mockImplementationOnce', (implementation, onCall) => {
      const at = typeof onCall === 'number' ? onCall : state.callCount()
      known.primed.push({ owner: this.#current(), implementation, used: false, call: at })
      return call(once, implementation, onCall)
    })
    shadow(context, 'mockImplementation', (implementation) => {
      state.lasting = implementation
      return call(become, implementation)
    })
    shadow(context, 'restore', () => {
      known.primed = []
      state.lasting = undefined
      return call(restore)
    })
    shadow(context, 'resetCalls', () => {
      // The count begins anew: what was taken by then must not look as if it were still waiting.
      known.primed = queueOf(mock, known)
      return call(resetCalls)
    })
  }

  look(): Behaviour[] {
    const found: Behaviour[] = []
    for (const [mock, known] of this.#known) {
      const left = queueOf(mock, known)
      const now = lastingOf(mock, known)
      const changed = now !== known.implementation && !left.some((prime) => prime.implementation === now)
      if (left.length > 0 || changed) found.push({ mock, queued: left.map((prime) => prime.owner), changed })
    }
    return found
  }

  /** What every watched mock does now is taken as known. */
  absorb(): void {
    for (const [mock, known] of this.#known) {
      known.primed = queueOf(mock, known)
      known.implementation = lastingOf(mock, known)
    }
  }

  /** Takes back what tests left: queues and implementations. */
  reset(mock: object): void {
    const known = this.#known.get(mock)
    if (!known) return
    if (known.context) {
      known.context.restore()
      known.primed = []
      known.context.lasting = known.implementation
      if (typeof known.implementation === 'function') known.context.become(known.implementation)
      return
    }
    const reset = ownData(mock, 'mockReset')
    const put = ownData(mock, 'mockImplementation')
    const lasting = known.implementation
    if (typeof reset === 'function') nativeReflect.apply(reset, mock, [])
    if (typeof put === 'function' && typeof lasting === 'function') nativeReflect.apply(put, mock, [lasting])
  }

  /** Queues were emptied in one go: `resetAllMocks`, by hand or by configuration. */
  forgetQueues(): void {
    for (const known of this.#known.values()) known.primed = []
  }

  clear(): void {
    this.#known.clear()
  }
}

function queueOf(mock: object, known: Known): Prime[] {
  const calls = known.context?.callCount()
  if (calls !== undefined) return known.primed.filter((prime) => calls <= (prime.call ?? -1))
  if (!tellsNext(mock)) return known.primed.filter((prime) => !prime.used)
  const head = implementationOf(mock)
  const at = known.primed.findLastIndex((prime) => prime.implementation === head)
  return at < 0 ? [] : known.primed.slice(at)
}

function reporting(implementation: unknown, prime: Prime): unknown {
  if (typeof implementation !== 'function') return implementation
  return new Proxy(implementation, {
    apply(target, self, args) {
      prime.used = true
      return nativeReflect.apply(target, self, args) as unknown
    },
    construct(target, args, newTarget) {
      prime.used = true
      return nativeReflect.construct(target, args, newTarget) as object
    },
  })
}

/** Vitest's mocks can throw on demand; Jest's cannot. */
function tellsNext(mock: object): boolean {
  return nativeObject.hasOwn(mock, 'mockThrow') || nativeObject.hasOwn(mock, 'mockThrowOnce')
}

function lastingOf(mock: object, known: Known): unknown {
  return known.context ? known.context.lasting : implementationOf(mock)
}

function implementationOf(mock: object): unknown {
  const read = ownData(mock, 'getMockImplementation')
  return typeof read === 'function' ? (nativeReflect.apply(read, mock, []) as unknown) : undefined
}

type Method = (...args: never[]) => unknown

function replaceOwn(target: object, key: string, make: (original: Method) => (...args: unknown[]) => unknown): void {
  const descriptor = nativeObject.getOwnPropertyDescriptor(target, key)
  const original = descriptor?.value as unknown
  if (!descriptor || typeof original !== 'function') return
  nativeObject.defineProperty(target, key, { ...descriptor, value: make(original as Method) })
}

/** Puts a method before an inherited one, in a way that lists of members do not show. */
function shadow(target: object, key: string, value: (...args: unknown[]) => unknown): void {
  nativeObject.defineProperty(target, key, { value, writable: true, enumerable: false, configurable: true })
}
