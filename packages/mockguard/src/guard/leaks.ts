import { syncBuiltinESMExports } from 'node:module'
import { types } from 'node:util'
import { isArray, nativeObject, nativeReflect } from '../core/natives.ts'
import { describeDescriptor, describeValue } from '../core/describe-value.ts'
import { isMock, ownData } from '../core/is-mock.ts'
import { accessorStep, pathStep } from '../core/key.ts'
import type { Key } from '../core/key.ts'
import type { Kind, Leak } from '../core/leak.ts'
import type { Located } from '../core/places.ts'
import type { MockSlot } from '../core/scan.ts'
import { isTransformedNamespace } from '../core/scan.ts'
import { sameSlot } from '../core/slots.ts'
import type { SlotChange } from '../core/slots.ts'
import { NeverRead } from '../core/untouched.ts'
import { descriptorOf, sameDescriptor } from '../core/tracker.ts'
import type { Spy, Tracker } from '../core/tracker.ts'
import { isContainer, takeOut } from './containers.ts'
import type { Before } from './containers.ts'
import { fixFor } from './fix.ts'
import type { StateChange } from './sensors.ts'
import type { WatchedTarget } from './watched-targets.ts'
import { processKind } from './watched-targets.ts'

/** A spy that its creator put into a known slot of an object that has a name. */
export function spyLeak(tracker: Tracker, spy: Spy, located: Located): Leak | null {
  const owner = spy.target.deref()
  const mock = spy.mock.deref()
  if (!owner || !mock) return null
  const step = spy.access === 'value' ? pathStep(spy.key) : accessorStep(spy.key, spy.access)
  const original = tracker.originalOf(owner, spy.key)?.descriptor
  return {
    path: join(located.path, step),
    also: located.also.map((path) => join(path, step)),
    kind: spyKind(spy, owner, located),
    owner,
    key: spy.key,
    identity: mock,
    origin: spy.origin,
    original: describeOriginal(original, owner, spy.key),
    current: describeValue(mock),
    fix: fixFor(spy.origin.creator),
    undo: () => put(owner, spy.key, original, mock),
    isPresent: () => tracker.isActive(spy),
  }
}

function spyKind(spy: Spy, owner: object, located: Located): Kind {
  if (located.path.startsWith('node:')) return 'K9'
  if (/^(globalThis|process)#/.test(located.path)) return 'K6'
  if (spy.access !== 'value') return 'K3'
  if (isTransformedNamespace(owner)) return 'K4'
  if (typeof owner === 'function' || located.place === 'class') return 'K2'
  return 'K1'
}

/** A mock found by walking: assigned, or made by a library that was not watched. */
export function slotLeak(tracker: Tracker, slot: MockSlot, before: Before | undefined): Leak {
  const origin = tracker.originOf(slot.mock)
  const known = tracker.originalOf(slot.owner, slot.key) ?? before
  const original = known?.descriptor
  return {
    path: slot.path,
    also: slot.also,
    kind: slotKind(slot, tracker),
    owner: slot.owner,
    key: slot.key,
    identity: slot.mock,
    origin,
    original: known ? describeOriginal(original, slot.owner, slot.key) : 'unknown',
    current: describeValue(slot.mock),
    fix: fixFor(origin?.creator ?? 'assignment'),
    undo: () => undoSlot(slot, known),
    isPresent: () => holds(slot.owner, slot.key, slot.mock),
  }
}

function slotKind(slot: MockSlot, tracker: Tracker): Kind {
  if (slot.access === 'get' || slot.access === 'set') return 'K3'
  if (slot.owner === slot.mock) return 'K5'
  if (slot.path.startsWith('node:')) return 'K9'
  const spied = tracker.originalOf(slot.owner, slot.key) !== undefined
  if (slot.access === 'export' && spied) return 'K4'
  if (slot.place === 'class') return 'K2'
  return spied ? 'K1' : 'K5'
}

/** A member of a watched target that changed: a global, a built-in module, a well-known prototype. */
export function changeLeak(tracker: Tracker, change: SlotChange): Leak {
  const { watched, key, before, after } = change
  const { target } = watched
  const mock = (['value', 'get', 'set'] as const)
    .map((part) => after && ownData(after, part))
    .find((value) => isMock(value)) as object | undefined
  const path = join(watched.path, pathStep(key))
  const stub = tracker.stubOf(path, after?.value)
  const origin = tracker.originOf(mock) ?? stub?.origin ?? null
  return {
    path,
    also: [],
    kind: changeKind(watched as WatchedTarget, change, mock !== undefined || stub !== undefined),
    owner: target,
    key,
    identity: mock ?? (after && (ownData(after, 'value') ?? ownData(after, 'get'))),
    origin,
    original: describeOriginal(before, target, key),
    current: describeDescriptor(after),
    fix: fixFor(origin?.creator ?? 'assignment'),
    undo: () => (isBuiltinNamespace(watched.path) ? syncBuiltinESMExports() : putSlot(target, key, before)),
    isPresent: () => !sameSlot(watched, before, descriptorOf(target, key)),
  }
}

/** A namespace of a built-in module cannot be written: it follows the default export when told to. */
function isBuiltinNamespace(path: string): boolean {
  return path.startsWith('node:') && path.endsWith('#')
}

const interception = /^node:https?#(default\.)?(request|get|ClientRequest)$|undici\.globalDispatcher/

function changeKind(watched: WatchedTarget, { key, before }: SlotChange, mocked: boolean): Kind {
  const path = join(watched.path, pathStep(key))
  if (interception.test(path)) return 'K12'
  if (mocked) return watched.path.startsWith('node:') ? 'K9' : watched.path.endsWith('.prototype') ? 'K2' : 'K6'
  if (watched.path === 'process#') return before ? processKind(key) : watched.added
  return before ? watched.plain : watched.added
}

export function stateLeak(tracker: Tracker, change: StateChange): Leak {
  return { ...change, also: [], origin: tracker.stubOf(change.path, change.identity)?.origin ?? null }
}

function join(path: string, step: string): string {
  return path.endsWith('#') && step.startsWith('.') ? `${path}${step.slice(1)}` : `${path}${step}`
}

function describeOriginal(descriptor: PropertyDescriptor | undefined, owner: object, key: Key): string {
  if (descriptor) return describeDescriptor(descriptor)
  const inherited = typeof owner === 'object' ? inheritedDescriptor(owner, key) : undefined
  return inherited ? `inherited ${describeDescriptor(inherited)}` : 'absent'
}

function inheritedDescriptor(owner: object, key: Key): PropertyDescriptor | undefined {
  for (let at = nativeObject.getPrototypeOf(owner) as object | null, hops = 0; at && hops < 8; hops += 1) {
    const found = descriptorOf(at, key)
    if (found) return found
    at = nativeObject.getPrototypeOf(at) as object | null
  }
  return undefined
}

/** Puts an own member back, or takes it away when it was inherited or absent. A restored mock also forgets its life. */
function put(owner: object, key: Key, original: PropertyDescriptor | undefined, mock: object): void {
  putSlot(owner, key, original)
  const restore = ownData(mock, 'mockRestore')
  // Its own restore would only put the same thing back, but it also takes the mock off the library's list.
  if (typeof restore === 'function' && original) nativeReflect.apply(restore, mock, [])
  if (!sameDescriptor(descriptorOf(owner, key), original)) putSlot(owner, key, original)
}

function putSlot(owner: object, key: Key, original: PropertyDescriptor | undefined): void {
  if (original?.value instanceof NeverRead)
    throw new TypeError(`nobody had read ${String(key)} before it was replaced, so what it was is not known`)
  if (!original) {
    if (!nativeReflect.deleteProperty(owner, key)) throw new TypeError(`Property ${String(key)} cannot be deleted`)
    return
  }
  if (!nativeReflect.defineProperty(owner, key, original)) {
    throw new TypeError(`Property ${String(key)} cannot be put back: it is not configurable`)
  }
}

function undoSlot(slot: MockSlot, known: Before | undefined): void {
  if (!known) undoByMock(slot)
  else if (isContainer(slot.owner)) takeOut(slot, known)
  else put(slot.owner, slot.key, known.descriptor, slot.mock)
}

function undoByMock(slot: MockSlot): void {
  for (const name of ['mockRestore', 'restore']) {
    const restore = ownData(slot.mock, name)
    if (typeof restore === 'function') nativeReflect.apply(restore, slot.mock, [])
  }
}

function holds(owner: object, key: Key, mock: object): boolean {
  if (owner === mock) return true
  if (isTransformedNamespace(owner)) return nativeReflect.get(owner, key) === mock
  if (isArray(owner)) return owner.includes(mock)
  if (types.isMap(owner)) return [...owner.values()].includes(mock)
  if (types.isSet(owner)) return owner.has(mock)
  const now = descriptorOf(owner, key)
  return now !== undefined && (now.value === mock || now.get === mock || now.set === mock)
}
