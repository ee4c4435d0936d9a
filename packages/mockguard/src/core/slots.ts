import { nativeObject, nativeReflect } from './natives.ts'
import type { Key } from './key.ts'
import { descriptorOf, sameDescriptor } from './tracker.ts'
import { isAnnouncement, isNative, neverRead, NeverRead, Untouched } from './untouched.ts'

/** An object whose own members are compared before and after a test. */
export interface Watched {
  readonly target: object
  /** `globalThis#Math`, `node:fs#default`, `globalThis#Array.prototype`; empty steps end in `#`. */
  readonly path: string
  /** Which keys are looked at; all when absent. Asked once for each key. */
  readonly keys?: ((key: Key) => boolean) | undefined
  /** Compared only when asked for everything: patches there are rare, and mocks there are known from their creator. */
  readonly rare?: boolean | undefined
  /** Members may be getters of the platform that make a value on first use and are then replaced by it. */
  readonly lazy?: boolean | undefined
}

export interface SlotChange {
  readonly watched: Watched
  readonly key: Key
  readonly before: PropertyDescriptor | undefined
  readonly after: PropertyDescriptor | undefined
}

export interface WatchOptions {
  /** False: the object is known by name, and its members are not looked at. */
  readonly compare?: boolean
  /** What the members are to be compared with, where that is not what they are now. */
  readonly given?: object
  /** Look at members that cost to look at, so that they can be put back. */
  readonly eager?: boolean
}

const { ownKeys } = nativeReflect
const { getOwnPropertyDescriptor } = nativeObject

interface Entry {
  readonly watched: Watched
  readonly compared: boolean
  readonly slots: Map<Key, PropertyDescriptor>
  /** What a slot held before its first change in this file: going back to it is a repair, not a change. */
  readonly base: Map<Key, PropertyDescriptor | undefined>
  readonly ignored: Set<Key>
  untouched: Untouched | null
  /** The same as `slots`, in a form that is quick to compare. Null when it has to be made anew. */
  quick: Quick | null
}

interface Quick {
  /** How many keys the object has, looked at or not. */
  readonly size: number
  /** Members that hold a value and can be changed. What can never change is not looked at again. */
  readonly valueKeys: readonly Key[]
  readonly values: readonly unknown[]
  readonly otherKeys: readonly Key[]
  readonly others: readonly PropertyDescriptor[]
}

/**
 * The members of watched objects, as last seen. `changes()` tells what differs now and takes that as seen.
 * Getters are never called: what is compared is the identity of values and accessors.
 */
export class SlotTable {
  readonly #seen = new Map<object, Entry>()
  #everyTime: Entry[] = []
  readonly #busy = new Set<object>()

  watch(watched: Watched, options: WatchOptions = {}): void {
    const { target } = watched
    if (this.#seen.has(target)) return
    const compared = options.compare !== false
    const entry: Entry = {
      watched,
      compared,
      slots: new Map(),
      base: new Map(),
      ignored: new Set(),
      untouched: null,
      quick: null,
    }
    this.#seen.set(target, entry)
    if (!compared) return
    const keys = nativeReflect.ownKeys(options.given ?? target)
    if (watched.lazy === true && options.eager !== true) entry.untouched = new Untouched(target, keys)
    for (const key of keys) {
      if (watched.keys && !watched.keys(key)) entry.ignored.add(key)
      else if (entry.untouched?.has(key) !== true) {
        const descriptor = descriptorOf(options.given ?? target, key)
        if (descriptor) entry.slots.set(key, descriptor)
      }
    }
    if (!options.given) entry.quick = quickOf(keys.length, entry.slots)
    this.#sort()
  }

  /** A rare place has come into use: from now on it is compared every time. */
  promote(target: object): void {
    if (this.#busy.has(target)) return
    this.#busy.add(target)
    this.#sort()
  }

  has(target: object): boolean {
    return this.#seen.has(target)
  }

  isRare(target: object): boolean | undefined {
    const entry = this.#seen.get(target)
    return entry && !this.#isOften(entry)
  }

  pathOf(target: object): string | undefined {
    return this.#seen.get(target)?.watched.path
  }

  /** Looks now at members that cost to look at, so that they can be put back later. */
  read(keys: (key: Key) => boolean): void {
    for (const entry of this.#everyTime) {
      const wanted = entry.untouched?.keys().filter(keys) ?? []
      entry.untouched?.release(wanted)
      for (const key of wanted) {
        const descriptor = descriptorOf(entry.watched.target, key)
        entry.quick = null
        if (descriptor) entry.slots.set(key, descriptor)
      }
    }
  }

  changes(options: { everything: boolean } = { everything: true }): SlotChange[] {
    const found: SlotChange[] = []
    if (options.everything) {
      for (const entry of this.#seen.values()) if (entry.compared) compare(entry, found)
    } else {
      for (const entry of this.#everyTime) compare(entry, found)
    }
    return found
  }

  #isOften(entry: Entry): boolean {
    return entry.compared && (entry.watched.rare !== true || this.#busy.has(entry.watched.target))
  }

  #sort(): void {
    this.#everyTime = [...this.#seen.values()].filter((entry) => this.#isOften(entry))
  }
}

function compare(entry: Entry, found: SlotChange[]): void {
  const { watched, slots, base, ignored } = entry
  const { target } = watched
  if (entry.untouched) touched(entry, entry.untouched, found)
  if (entry.quick && isUnchanged(target, entry.quick)) return
  let present = 0
  for (const key of nativeReflect.ownKeys(target)) {
    const before = slots.get(key)
    if (before === undefined) {
      if (ignored.has(key) || entry.untouched?.has(key) === true) continue
      if (watched.keys && !watched.keys(key)) {
        ignored.add(key)
        continue
      }
    }
    const after = descriptorOf(target, key)
    if (!after) continue
    present += 1
    if (sameDescriptor(before, after)) continue
    slots.set(key, after)
    if (watched.lazy === true && !before && isAnnouncement(key, after)) continue
    if (watched.lazy === true && before && isResolved(target, before, after)) base.delete(key)
    else note(base, { watched, key, before, after }, found)
  }
  entry.quick = null
  if (present === slots.size) {
    entry.quick = quickOf(ownKeys(target).length, slots)
    return
  }
  for (const [key, before] of slots) {
    if (descriptorOf(target, key)) continue
    slots.delete(key)
    note(base, { watched, key, before, after: undefined }, found)
  }
}

function quickOf(size: number, slots: ReadonlyMap<Key, PropertyDescriptor>): Quick {
  const valueKeys: Key[] = []
  const values: unknown[] = []
  const otherKeys: Key[] = []
  const others: PropertyDescriptor[] = []
  for (const [key, descriptor] of slots) {
    if (descriptor.configurable !== true && descriptor.writable !== true) continue
    const value = descriptor.value as unknown
    if (value !== undefined && !Number.isNaN(value)) {
      valueKeys.push(key)
      values.push(value)
    } else {
      otherKeys.push(key)
      others.push(descriptor)
    }
  }
  return { size, valueKeys, values, otherKeys, others }
}

/**
 * As many members as before, and all of those that are compared hold what they held. This runs some hundred times per test
 * in a worker that is too young to have optimised it: for a plain value, which nearly all are, one descriptor and one
 * comparison say it all (an accessor in its place has no value), and a built-in loop is the cheapest there is.
 */
function isUnchanged(target: object, { size, valueKeys, values, otherKeys, others }: Quick): boolean {
  return (
    ownKeys(target).length === size &&
    valueKeys.every((key, at) => getOwnPropertyDescriptor(target, key)?.value === values[at]) &&
    otherKeys.every((key, at) => {
      const now = getOwnPropertyDescriptor(target, key)
      return now !== undefined && sameDescriptor(now, others[at])
    })
  )
}

/** Members that were waiting for their first use and no longer are: used, which is nobody's leak, or replaced. */
function touched(entry: Entry, untouched: Untouched, found: SlotChange[]): void {
  const { watched, slots, base } = entry
  for (const key of untouched.take()) {
    const after = descriptorOf(watched.target, key)
    if (after) slots.set(key, after)
    entry.quick = null
    if (!isNative(after, key)) note(base, { watched, key, before: neverRead(key), after }, found)
  }
}

/** Writing back what a lazy global gave replaces the getter by its value: nothing has changed for anybody. */
function isResolved(target: object, before: PropertyDescriptor, after: PropertyDescriptor): boolean {
  const get: unknown = nativeReflect.get(before, 'get')
  return (
    typeof get === 'function' && 'value' in after && nativeObject.is(nativeReflect.apply(get, target, []), after.value)
  )
}

/** Whether a slot is as it was, a lazy global that was written back included. */
export function sameSlot(
  watched: Watched,
  before: PropertyDescriptor | undefined,
  now: PropertyDescriptor | undefined,
): boolean {
  if (before?.value instanceof NeverRead) return isNative(now, before.value.key)
  if (sameDescriptor(before, now)) return true
  return watched.lazy === true && before !== undefined && now !== undefined && isResolved(watched.target, before, now)
}

function isRepair({ watched, after }: SlotChange, first: PropertyDescriptor | undefined): boolean {
  return sameSlot(watched, first, after)
}

function note(base: Entry['base'], change: SlotChange, found: SlotChange[]): void {
  if (!base.has(change.key)) base.set(change.key, change.before)
  else if (isRepair(change, base.get(change.key))) return
  found.push(change)
}
