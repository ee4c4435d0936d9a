import { ownData } from '../core/is-mock.ts'
import type { TestRef } from '../core/leak.ts'

interface Prime {
  readonly owner: TestRef | null
  implementation: unknown
  used: boolean
}

interface Known {
  primed: Prime[]
  implementation: unknown
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
 * function itself reports that it ran.
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
      return Reflect.apply(once, mock, [prime.implementation])
    })
    for (const name of ['mockReset', 'mockRestore']) {
      replaceOwn(mock, name, (original) => (...args: unknown[]) => {
        known.primed = []
        return Reflect.apply(original, mock, args)
      })
    }
  }

  look(): Behaviour[] {
    const found: Behaviour[] = []
    for (const [mock, known] of this.#known) {
      const left = queueOf(mock, known)
      const now = implementationOf(mock)
      const changed = now !== known.implementation && !left.some((prime) => prime.implementation === now)
      if (left.length > 0 || changed) found.push({ mock, queued: left.map((prime) => prime.owner), changed })
    }
    return found
  }

  /** What every watched mock does now is taken as known. */
  absorb(): void {
    for (const [mock, known] of this.#known) {
      known.primed = queueOf(mock, known)
      known.implementation = implementationOf(mock)
    }
  }

  /** Takes back what tests left: queues and implementations. */
  reset(mock: object): void {
    const known = this.#known.get(mock)
    if (!known) return
    const reset = ownData(mock, 'mockReset')
    const put = ownData(mock, 'mockImplementation')
    const lasting = known.implementation
    if (typeof reset === 'function') Reflect.apply(reset, mock, [])
    if (typeof put === 'function' && typeof lasting === 'function') Reflect.apply(put, mock, [lasting])
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
      return Reflect.apply(target, self, args) as unknown
    },
    construct(target, args, newTarget) {
      prime.used = true
      return Reflect.construct(target, args, newTarget) as object
    },
  })
}

/** Vitest's mocks can throw on demand; Jest's cannot. */
function tellsNext(mock: object): boolean {
  return Object.hasOwn(mock, 'mockThrow') || Object.hasOwn(mock, 'mockThrowOnce')
}

function implementationOf(mock: object): unknown {
  const read = ownData(mock, 'getMockImplementation')
  return typeof read === 'function' ? (Reflect.apply(read, mock, []) as unknown) : undefined
}

type Method = (...args: never[]) => unknown

function replaceOwn(target: object, key: string, make: (original: Method) => (...args: unknown[]) => unknown): void {
  const descriptor = Object.getOwnPropertyDescriptor(target, key)
  const original = descriptor?.value as unknown
  if (!descriptor || typeof original !== 'function') return
  Object.defineProperty(target, key, { ...descriptor, value: make(original as Method) })
}
