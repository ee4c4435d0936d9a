import { nativeObject, nativeReflect } from './natives.ts'
import type { Key } from './key.ts'

/**
 * Globals that Node makes on first use, and whose making costs: `FormData`, `WebSocket` and their kin load the whole HTTP
 * client, 60 ms in each worker. Reading a descriptor is a first use, so as long as nobody has touched them nobody looks.
 *
 * How to know without a touch: such a property is an accessor inside the engine, which `__lookupGetter__` passes over
 * to the prototype. A prototype that answers there tells that the property is still waiting; one that was read or
 * assigned is a plain value, and the lookup ends at it.
 */
const slow =
  /^(FormData|Headers|Request|Response|MessageEvent|CloseEvent|ErrorEvent|EventSource|WebSocket|Crypto|CryptoKey|SubtleCrypto|Temporal|(Readable|Writable|Transform)Stream\w*|(Dec|C)ompressionStream)$/

const lookup = nativeReflect.get(Object.prototype, '__lookupGetter__') as (this: object, key: Key) => unknown
const answer = (): undefined => undefined

/** The slow globals of one object that nobody has read or assigned yet. */
export class Untouched {
  readonly #target: object
  #keys: Key[]
  #answering: object | null = null

  constructor(target: object, keys: readonly Key[]) {
    this.#target = target
    this.#keys = keys.filter((key) => typeof key === 'string' && slow.test(key))
    this.#keys = [...this.#waiting()]
    this.#answering = null
  }

  has(key: Key): boolean {
    return this.#keys.includes(key)
  }

  keys(): readonly Key[] {
    return this.#keys
  }

  /** From now on these are read like any other. */
  release(keys: readonly Key[]): void {
    if (keys.length === 0) return
    this.#keys = this.#keys.filter((key) => !keys.includes(key))
    this.#answering = null
  }

  /** What has been touched since the last call. */
  take(): readonly Key[] {
    if (this.#keys.length === 0) return []
    const waiting = this.#waiting()
    if (waiting.size === this.#keys.length) return []
    const touched = this.#keys.filter((key) => !waiting.has(key))
    this.release(touched)
    return touched
  }

  /** Empty where the engine or the object does not allow to ask. */
  #waiting(): Set<Key> {
    const found = new Set<Key>()
    const home = nativeObject.getPrototypeOf(this.#target) as object | null
    if (this.#keys.length === 0 || home === null) return found
    const above = nativeObject.getPrototypeOf(home) as object | null
    const answers = (): object => nativeObject.fromEntries(this.#keys.map((key) => [key, { get: answer }]))
    this.#answering ??= nativeObject.create(above, answers() as PropertyDescriptorMap) as object
    if (!nativeReflect.setPrototypeOf(home, this.#answering)) return found
    try {
      for (const key of this.#keys) if (nativeReflect.apply(lookup, this.#target, [key]) === answer) found.add(key)
    } finally {
      nativeReflect.setPrototypeOf(home, above)
    }
    return found
  }
}

/** Stands for the value of a global that was replaced before anybody had read it. */
export class NeverRead {
  readonly key: Key
  constructor(key: Key) {
    this.key = key
  }
}

export function neverRead(key: Key): PropertyDescriptor {
  return { value: new NeverRead(key), writable: true, enumerable: false, configurable: true }
}

/** Whether a value is the one that Node makes for this name: those carry their name as a tag, which replacements do not. */
export function isNative(descriptor: PropertyDescriptor | undefined, key: Key): boolean {
  const value = descriptor?.value as unknown
  if ((typeof value !== 'function' && typeof value !== 'object') || value === null) return false
  const prototype = nativeObject.getOwnPropertyDescriptor(value, 'prototype')?.value as unknown
  const home = typeof prototype === 'object' && prototype !== null ? prototype : value
  return nativeObject.getOwnPropertyDescriptor(home, Symbol.toStringTag)?.value === key
}

/** Node's HTTP client announces itself by symbols when it is first used. A dispatcher of another class was put there. */
export function isAnnouncement(key: Key, descriptor: PropertyDescriptor): boolean {
  if (typeof key !== 'symbol' || !key.description?.startsWith('undici.')) return false
  const value = descriptor.value as unknown
  if (typeof value !== 'object' || value === null) return true
  const prototype = nativeObject.getPrototypeOf(value) as object | null
  const maker = prototype && (nativeObject.getOwnPropertyDescriptor(prototype, 'constructor')?.value as unknown)
  return typeof maker === 'function' && /^(Agent|Dispatcher\d*Wrapper)$/.test(maker.name)
}
