import { createRequire } from 'node:module'
import type { Kind, Leak } from './leak.ts'
import type { Root } from './roots.ts'
import { scan } from './scan.ts'
import type { MockSlot, Scan } from './scan.ts'
import { Tracker } from './tracker.ts'
import { slotLeak } from '../guard/leaks.ts'
import { inlineAllowance } from '../guard/inline-allow.ts'
import { commonJsRoots, evaluatedModules, vitestRoots } from '../vitest/modules.ts'

export interface SnapshotOptions {
  /** What to look into, by name. Default: every loaded module that can be listed, and what `watch` registered. */
  readonly roots?: Readonly<Record<string, unknown>>
  /** Module or root = 1, its members = 2, and so on. Default 2. */
  readonly depth?: number
}

/** The mocks that were reachable at one moment. */
export interface Snapshot {
  readonly mocks: readonly { readonly path: string; readonly kind: Kind }[]
  /** Objects that could not be read, or that came after the limit. */
  readonly skipped: number
}

/** A mock that is in the later snapshot and was not in the earlier one. */
export interface DanglingMember {
  readonly path: string
  readonly also: readonly string[]
  readonly kind: Kind
}

const watched = new Map<string, unknown>()
const scans = new WeakMap<Snapshot, Scan>()
const leaks = new WeakMap<DanglingMember, Leak>()
const tracker = new Tracker()
const require = createRequire(import.meta.url)

/** Registers an object that no module exports, for example a container. Returns a function that removes it. */
export function watch(target: object, name: string): () => void {
  watched.set(name, target)
  return () => {
    if (watched.get(name) === target) watched.delete(name)
  }
}

/** What is registered with `watch`, as roots. */
export function watchedRoots(): Root[] {
  return [...watched].map(([label, exports]) => ({ label, id: label, exports }))
}

/** Lists the mocks that can be reached now. Runs no code of the objects it looks at. */
export function snapshot(options: SnapshotOptions = {}): Snapshot {
  const roots = options.roots
    ? Object.entries(options.roots).map(([label, exports]): Root => ({ label, id: label, exports }))
    : [...loadedRoots(), ...watchedRoots()]
  const found = scan(roots, { depth: options.depth ?? 2, capture: true })
  const made: Snapshot = {
    mocks: found.slots.map((slot) => ({ path: slot.path, kind: slotLeak(tracker, slot, undefined).kind })),
    skipped: found.skipped,
  }
  scans.set(made, found)
  return made
}

/** The mocks of `after` that were not in the same place in `before` (testkit.md B4, set difference). */
export function diff(before: Snapshot, after: Snapshot): DanglingMember[] {
  const earlier = scanOf(before)
  const known = new Map<object, Map<unknown, MockSlot>>()
  for (const slot of earlier.slots) {
    if (!known.has(slot.owner)) known.set(slot.owner, new Map())
    known.get(slot.owner)!.set(slot.key, slot)
  }
  return scanOf(after).slots.flatMap((slot) => {
    if (slot.mocked || known.get(slot.owner)?.get(slot.key)?.mock === slot.mock) return []
    if (inlineAllowance(slot.owner, slot.key) !== undefined) return []
    const leak = slotLeak(tracker, slot, earlier.memberOf(slot.owner, slot.key))
    const member: DanglingMember = { path: leak.path, also: leak.also, kind: leak.kind }
    leaks.set(member, leak)
    return [member]
  })
}

/** Puts back what was there, newest first. Returns the members that could not be restored. */
export function restore(members: readonly DanglingMember[]): DanglingMember[] {
  return members.toReversed().filter((member) => {
    const leak = leaks.get(member)
    if (!leak) return true
    try {
      leak.undo()
    } catch {
      // The target refuses (not configurable): the member is returned, which is how the caller learns of it.
      return true
    }
    return leak.isPresent()
  })
}

/** Runs a block and throws when it leaves a mock behind. */
export async function assertNoDanglingMocks<T>(block: () => T | Promise<T>, options: SnapshotOptions = {}): Promise<T> {
  const before = snapshot(options)
  const result = await block()
  const left = diff(before, snapshot(options))
  if (left.length === 0) return result
  throw new Error(left.map((member) => `Member '${member.path}' needs to be unmocked.`).join('\n'))
}

function scanOf(of: Snapshot): Scan {
  const found = scans.get(of)
  if (!found) throw new TypeError('not a snapshot of this process: make both with snapshot()')
  return found
}

function loadedRoots(): Root[] {
  const nothing = (): boolean => false
  const root = process.cwd()
  return [
    ...vitestRoots(evaluatedModules(globalThis) ?? new Map(), root, nothing),
    ...commonJsRoots(root, nothing, require.cache),
  ]
}
