import { inspect, types } from 'node:util'
import { nativeObject } from './natives.ts'

export type MockPredicate = (value: unknown) => boolean

/** Mocks that carry no mark of their own (node:test's are proxies) and were registered when they were made. */
const registered = new WeakSet<object>()
const predicates: MockPredicate[] = []

export function registerMock(value: object): void {
  registered.add(value)
}

/** Adds a rule for a mock library that mockguard does not know. Returns a function that removes it. */
export function recognizeMock(predicate: MockPredicate): () => void {
  predicates.push(predicate)
  return () => {
    const index = predicates.indexOf(predicate)
    if (index >= 0) predicates.splice(index, 1)
  }
}

export function hasRecognizers(): boolean {
  return predicates.length > 0
}

/**
 * Whether a value is a mock, without running any code of its owner: own data properties are read from descriptors, and
 * the traps of a proxy are never called. Source: testkit.md B4, isMock.
 */
export function isMock(value: unknown): boolean {
  if (typeof value === 'function') return isMockFunction(value)
  if (typeof value !== 'object' || value === null) return false
  return registered.has(value) || (types.isProxy(value) && isMockProxy(value)) || predicates.some((rule) => rule(value))
}

function isMockFunction(value: object): boolean {
  if (registered.has(value)) return true
  if (types.isProxy(value)) return isMockProxy(value)
  if (ownData(value, '_isMockFunction') === true) return true
  if (isSinonFake(value)) return true
  // A plain function that carries its mock, as autospec does in other languages.
  const carried = ownData(value, 'mock')
  if (typeof carried === 'function' && carried !== value && ownData(carried, '_isMockFunction') === true) return true
  return predicates.some((rule) => rule(value))
}

function isSinonFake(value: object): boolean {
  if (dataAlongChain(value, 'isSinonProxy') === true) return true
  const restore = ownData(value, 'restore')
  return typeof restore === 'function' && ownData(restore, 'sinon') === true
}

/**
 * Deep mocks (jest-mock-extended and its kin) are proxies over an object that says so. `inspect` with `showProxy` prints
 * the target without calling a trap, which is the only way to look into a proxy from JavaScript.
 */
function isMockProxy(value: object): boolean {
  const text = inspect(value, {
    showProxy: true,
    depth: 1,
    customInspect: false,
    getters: false,
    breakLength: Infinity,
  })
  return /\b(_isMockFunction|_isMockObject): true\b/.test(text)
}

export function ownData(target: object, key: PropertyKey): unknown {
  return nativeObject.getOwnPropertyDescriptor(target, key)?.value
}

function dataAlongChain(target: object, key: PropertyKey): unknown {
  let holder: object | null = target
  for (let hops = 0; holder !== null && hops < 4 && !types.isProxy(holder); hops += 1) {
    const found = nativeObject.getOwnPropertyDescriptor(holder, key)
    if (found) return found.value
    holder = nativeObject.getPrototypeOf(holder) as object | null
  }
  return undefined
}
