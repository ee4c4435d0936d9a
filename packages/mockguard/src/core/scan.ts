import { types } from 'node:util'
import { isArray, nativeObject, nativeReflect } from './natives.ts'
import { isMock } from './is-mock.ts'
import type { Key } from './key.ts'
import { accessorStep, pathStep } from './key.ts'
import { Places } from './places.ts'
import type { Located, Place, PlaceKind } from './places.ts'
import type { Root } from './roots.ts'

/** A slot that holds a mock. `access` says which function of an accessor is the mock. */
export interface MockSlot {
  readonly owner: object
  readonly key: Key
  readonly mock: object
  readonly access: 'value' | 'get' | 'set' | 'export'
  readonly path: string
  readonly also: readonly string[]
  readonly mocked: boolean
  readonly place: PlaceKind
}

export interface ScanOptions {
  /** Module = 1, members of its exports = 2, and so on (testkit.md B4). */
  readonly depth: number
  /** At most this many objects are entered; what is beyond is counted in `skipped`. */
  readonly maxObjects?: number
  /** Elements of arrays, maps and sets that are looked at, per container. */
  readonly maxElements?: number
  /** Keep the descriptors that were read, so that `memberOf` can tell later what a slot held. */
  readonly capture?: boolean
}

export interface Scan {
  readonly slots: readonly MockSlot[]
  /** Objects whose keys or descriptors could not be read, or that came after the limit. */
  readonly skipped: number
  readonly visited: number
  /** The path of a visited object, or undefined when no root leads to it. */
  readonly pathsOf: (target: object) => Located | undefined
  /** What a member was at the time of a capturing scan. Undefined when its object was not visited. */
  readonly memberOf: (owner: object, key: Key) => { readonly descriptor: PropertyDescriptor | undefined } | undefined
  readonly emitters: readonly { readonly target: object; readonly path: string }[]
}

const builtinPrototypes = new Set<unknown>(
  [Object, Function, Array, Map, Set, WeakMap, WeakSet, Promise, Error, Date, RegExp, Boolean, Number, String, Symbol]
    .map((constructor) => constructor.prototype as unknown)
    .concat([null]),
)

const functionOwn = new Set<Key>(['length', 'name', 'arguments', 'caller', 'prototype'])

/**
 * Walks what is reachable from modules, breadth first, so that the shortest path names an object.
 *
 * Invariant: no code of the scanned program runs. Members are read from descriptors; only entries of a module namespace
 * are read by name, which is what a namespace's entries are for, and one that is not initialised yet is skipped. Proxies
 * are not entered. Each object is entered once; further ways to it are kept as aliases.
 */
export function scan(roots: readonly Root[], options: ScanOptions): Scan {
  return new Walk(options).run(roots)
}

class Walk {
  readonly #options: Required<ScanOptions>
  readonly #places = new Places()
  readonly #found = new Map<object, Map<Key, { access: MockSlot['access']; mock: object }>>()
  readonly #emitters: object[] = []
  readonly #captured = new Map<object, Map<Key, PropertyDescriptor>>()
  #queue: { value: object; place: Place }[] = []
  #skipped = 0

  constructor(options: ScanOptions) {
    this.#options = { maxObjects: 100_000, maxElements: 100, capture: false, ...options }
  }

  run(roots: readonly Root[]): Scan {
    for (const root of roots) {
      const { exports } = root
      if ((typeof exports !== 'object' && typeof exports !== 'function') || exports === null) continue
      const place: Place = { root, holder: null, step: '', level: 1 }
      if (isMock(exports)) this.#note(exports, 'module.exports', exports, 'value', place)
      else this.#push(exports, place)
    }
    for (let next = 0; next < this.#queue.length; next += 1) {
      const { value, place } = this.#queue[next]!
      if (next >= this.#options.maxObjects) {
        this.#skipped += this.#queue.length - next
        break
      }
      this.#enter(value, place)
    }
    const visited = this.#queue.length
    this.#queue = []
    return {
      slots: this.#slots(),
      skipped: this.#skipped,
      visited,
      pathsOf: (target) => this.#places.locate(target),
      memberOf: (owner, key) => {
        const members = this.#captured.get(owner)
        return members && { descriptor: members.get(key) }
      },
      emitters: this.#emitters.map((target) => ({ target, path: this.#places.locate(target)!.path })),
    }
  }

  #push(value: object, place: Place): void {
    if (this.#places.has(value)) {
      this.#places.add(value, place)
      return
    }
    if (types.isProxy(value) || skippedObject(value)) return
    this.#places.add(value, place)
    this.#queue.push({ value, place })
  }

  #enter(value: object, place: Place): void {
    try {
      if (types.isModuleNamespaceObject(value) || isTransformedNamespace(value)) this.#namespace(value, place)
      else if (isArray(value)) this.#elements(value, value.length, place)
      else if (types.isMap(value)) this.#entries(value, Map.prototype.entries.call(value), place)
      else if (types.isSet(value)) this.#entries(value, Set.prototype.entries.call(value), place)
      else this.#members(value, place)
    } catch {
      // An object that cannot be read must not end the run (the reference aborted here): it is counted instead.
      this.#skipped += 1
    }
  }

  #namespace(namespace: object, place: Place): void {
    for (const key of nativeReflect.ownKeys(namespace)) {
      if (typeof key === 'symbol') continue
      let value: unknown
      try {
        value = nativeReflect.get(namespace, key)
      } catch {
        // Not initialised yet (temporal dead zone): nothing is reachable through it.
        this.#skipped += 1
        continue
      }
      this.#value(namespace, key, value, 'export', place)
    }
  }

  #members(target: object, place: Place): void {
    const isFunction = typeof target === 'function'
    if (this.#options.capture) this.#captured.set(target, new Map())
    for (const key of nativeReflect.ownKeys(target)) {
      if (isFunction && functionOwn.has(key)) continue
      try {
        this.#descriptor(target, key, place)
      } catch {
        // One member that cannot be looked at does not hide the others: it is counted.
        this.#skipped += 1
      }
    }
    if (isFunction) {
      const parent = nativeObject.getPrototypeOf(target) as object | null
      if (typeof parent === 'function' && !isNativeFunction(parent))
        this.#push(parent, { ...place, holder: target, step: '.__proto__' })
      const prototype = nativeObject.getOwnPropertyDescriptor(target, 'prototype')?.value as unknown
      if (typeof prototype === 'object' && prototype !== null && !builtinPrototypes.has(prototype)) {
        this.#samePlace(prototype, { ...place, holder: target, step: '.prototype' })
      }
      return
    }
    if (nativeObject.hasOwn(target, '_eventsCount') && !nativeObject.hasOwn(target, 'constructor'))
      this.#emitters.push(target)
    const prototype = nativeObject.getPrototypeOf(target) as object | null
    if (prototype !== null && !builtinPrototypes.has(prototype) && !isForeignObjectPrototype(prototype)) {
      // An instance leads to its class even when the class is not exported.
      this.#samePlace(prototype, { ...place, holder: target, step: '.__proto__' })
    }
  }

  /** A prototype belongs to its class or instance: it costs no level. */
  #samePlace(prototype: object, place: Place): void {
    if (isNativePrototype(prototype)) return
    this.#push(prototype, place)
  }

  #descriptor(target: object, key: Key, place: Place): void {
    if (key === 'constructor') return
    const descriptor = nativeObject.getOwnPropertyDescriptor(target, key)
    if (!descriptor) return
    this.#captured.get(target)?.set(key, descriptor)
    if ('value' in descriptor) {
      this.#value(target, key, descriptor.value, 'value', place)
      return
    }
    for (const access of ['get', 'set'] as const) {
      const accessor = descriptor[access] as unknown
      if (isMock(accessor)) this.#note(target, key, accessor as object, access, place)
    }
  }

  #value(target: object, key: Key, value: unknown, access: 'value' | 'export', place: Place): void {
    if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return
    if (isMock(value)) {
      this.#note(target, key, value, access, place)
      return
    }
    if (place.level >= this.#options.depth) return
    const container = isArray(value) || types.isMap(value) || types.isSet(value)
    if (container && this.#options.depth < 3) return
    const level = container ? Math.max(place.level + 1, 2) : place.level + 1
    this.#push(value, { root: place.root, holder: target, step: pathStep(key), level })
  }

  #elements(list: readonly unknown[], length: number, place: Place): void {
    if (this.#options.capture) this.#captured.set(list, new Map())
    for (let index = 0; index < Math.min(length, this.#options.maxElements); index += 1) {
      this.#descriptor(list, String(index), place)
    }
    if (length > this.#options.maxElements) this.#skipped += 1
  }

  #entries(container: object, entries: Iterator<[unknown, unknown]>, place: Place): void {
    if (this.#options.capture) this.#captured.set(container, new Map())
    for (let index = 0; index < this.#options.maxElements; index += 1) {
      const next = entries.next()
      if (next.done === true) return
      const [key, value] = next.value
      const name = typeof key === 'symbol' || typeof key === 'string' ? key : String(index)
      this.#captured.get(container)?.set(name, { value })
      this.#value(container, name, value, 'value', place)
    }
  }

  #note(owner: object, key: Key, mock: object, access: MockSlot['access'], place: Place): void {
    let keys = this.#found.get(owner)
    if (!keys) this.#found.set(owner, (keys = new Map()))
    keys.set(key, { access, mock })
    if (!this.#places.has(owner)) this.#places.add(owner, place)
  }

  #slots(): MockSlot[] {
    const slots: MockSlot[] = []
    for (const [owner, keys] of this.#found) {
      for (const [key, { access, mock }] of keys) {
        const step = access === 'get' || access === 'set' ? accessorStep(key, access) : pathStep(key)
        const located = this.#places.locate(owner, owner === mock ? [] : [step])
        if (located) slots.push({ owner, key, mock, access, ...located })
      }
    }
    return slots
  }
}

/** Vitest's namespaces are plain objects with this tag and getters. */
export function isTransformedNamespace(value: object): boolean {
  return nativeObject.getOwnPropertyDescriptor(value, Symbol.toStringTag)?.value === 'Module'
}

function skippedObject(value: object): boolean {
  return types.isAnyArrayBuffer(value) || ArrayBuffer.isView(value) || types.isPromise(value) || types.isExternal(value)
}

/** `Object.prototype` of another realm (Jest runs tests in one). */
function isForeignObjectPrototype(prototype: object): boolean {
  return nativeObject.getPrototypeOf(prototype) === null && nativeObject.hasOwn(prototype, 'hasOwnProperty')
}

const natives = new WeakMap<object, boolean>()

function isNativePrototype(prototype: object): boolean {
  let native = natives.get(prototype)
  if (native === undefined) {
    const maker = nativeObject.getOwnPropertyDescriptor(prototype, 'constructor')?.value as unknown
    native = typeof maker === 'function' && isNativeFunction(maker)
    natives.set(prototype, native)
  }
  return native
}

function isNativeFunction(value: object): boolean {
  return !types.isProxy(value) && Function.prototype.toString.call(value).includes('[native code]')
}
