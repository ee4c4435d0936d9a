import { isArray, nativeJson, nativeObject, nativeReflect } from '../core/natives.ts'
import type { Kind } from '../core/leak.ts'
import type { Key } from '../core/key.ts'
import { describeValue } from '../core/describe-value.ts'
import { ownData } from '../core/is-mock.ts'
import { isOfRuntime } from './runtime-listeners.ts'
import type { Realm } from './watched-targets.ts'

/** Something that differs from what was last seen. `isPresent` compares with the state before this change. */
export interface StateChange {
  readonly kind: Kind
  readonly path: string
  readonly owner: object
  readonly key: Key
  readonly identity: unknown
  readonly original: string
  readonly current: string
  readonly fix: string
  readonly undo: () => void
  readonly isPresent: () => boolean
}

export interface Sensor {
  /** What differs since the last call; the differences count as seen from then on. */
  changes(): StateChange[]
}

/** K7: variables of the environment. */
export function environmentSensor(realm: Realm): Sensor {
  const env = realm.process.env
  let seen = new Map(nativeObject.entries(env))
  // One call of the engine says that nothing has changed, which is nearly always so.
  let text = nativeJson.stringify(env)
  return {
    changes() {
      const textNow = nativeJson.stringify(env)
      if (textNow === text) return []
      text = textNow
      const now = new Map(nativeObject.entries(env))
      const changes: StateChange[] = []
      for (const key of new Set([...seen.keys(), ...now.keys()])) {
        const before = seen.get(key)
        if (before === now.get(key) || /^(VITEST|JEST_WORKER_ID|NODE_TEST|MOCKGUARD)/.test(key)) continue
        changes.push({
          kind: 'K7',
          path: `process.env#${key}`,
          owner: env,
          key,
          identity: now.get(key),
          original: shown(before),
          current: shown(now.get(key)),
          fix: "using _ = env({ … }) from '@mainstay/mockguard/using'   or   unstubEnvs: true with vi.stubEnv",
          undo() {
            if (before === undefined) delete env[key]
            else env[key] = before
          },
          isPresent: () => env[key] !== before,
        })
      }
      seen = now
      return changes
    },
  }
}

function shown(value: string | undefined): string {
  return value === undefined ? 'absent' : nativeJson.stringify(value.length > 40 ? `${value.slice(0, 37)}...` : value)
}

type Listener = object

/** K11: listeners of `process`, its streams, and emitters that modules export. Removed ones are nobody's leak. */
export class ListenerSensor implements Sensor {
  readonly #seen = new Map<object, { path: string; listeners: Map<Key, readonly Listener[]> }>()

  watch(target: object, path: string): void {
    if (!this.#seen.has(target)) this.#seen.set(target, { path, listeners: listenersOf(target) })
  }

  changes(): StateChange[] {
    const changes: StateChange[] = []
    for (const [target, entry] of this.#seen) {
      if (hasSame(target, entry.listeners)) continue
      const now = listenersOf(target)
      for (const [event, listeners] of now) {
        const before = entry.listeners.get(event) ?? []
        if (listeners.length === before.length && listeners.every((one, index) => one === before[index])) continue
        const added = listeners.filter((one) => !before.includes(one) && !isOfRuntime(one))
        for (const listener of added) changes.push(listenerChange(target, entry.path, event, listener))
      }
      entry.listeners = now
    }
    return changes
  }
}

function listenerChange(target: object, path: string, event: Key, listener: Listener): StateChange {
  const inner = ownData(listener, 'listener')
  const remove = typeof inner === 'function' ? inner : listener
  const count = (listenersOf(target).get(event) ?? []).length
  return {
    kind: 'K11',
    path: `${path}${path.endsWith('#') ? '' : '.'}on(${String(event)})`,
    owner: target,
    key: event,
    identity: listener,
    original: `${count - 1} listeners`,
    current: `${count} listeners, among them ${describeValue(remove)}`,
    fix: "using _ = listener(emitter, event, fn) from '@mainstay/mockguard/using'   or   emitter.off in onTestFinished",
    undo: () => (target as NodeJS.EventEmitter).removeListener(event, remove as () => void),
    isPresent: () => (listenersOf(target).get(event) ?? []).includes(listener),
  }
}

/**
 * Who waits for `drain` is in the middle of a write, as the reporter of node:test is whenever its pipe is full: that is
 * no leak, and without its listener the writer would wait for ever. `internalMessage` is how Node's own processes talk.
 */
const unwatchedEvents = new Set<Key>(['newListener', 'removeListener', 'drain', 'internalMessage'])

/** Nearly always so, and said without making anything. */
function hasSame(target: object, known: ReadonlyMap<Key, readonly Listener[]>): boolean {
  const events = ownData(target, '_events')
  if (typeof events !== 'object' || events === null) return known.size === 0
  let watched = 0
  for (const event of nativeReflect.ownKeys(events)) {
    if (unwatchedEvents.has(event)) continue
    const before = known.get(event)
    const now = ownData(events, event)
    if (now === undefined) continue
    if (before === undefined) return false
    if (isArray(now) ? !isSameList(before, now) : before.length !== 1 || before[0] !== now) return false
    watched += 1
  }
  return watched === known.size
}

function isSameList(before: readonly Listener[], now: readonly unknown[]): boolean {
  return now.length === before.length && before.every((one, at) => one === now[at])
}

function listenersOf(target: object): Map<Key, readonly Listener[]> {
  const found = new Map<Key, readonly Listener[]>()
  const events = ownData(target, '_events')
  if (typeof events !== 'object' || events === null) return found
  for (const event of nativeReflect.ownKeys(events)) {
    if (unwatchedEvents.has(event)) continue
    const value = ownData(events, event)
    if (typeof value === 'function') found.set(event, [value])
    else if (isArray(value)) found.set(event, [...(value as Listener[])])
  }
  return found
}

/** K16: what belongs to the whole process and is no property: the working directory and the file mode mask. */
export function processSensor(): Sensor {
  const read = { cwd: () => process.cwd(), umask: () => process.umask() }
  let seen = { cwd: safely(read.cwd), umask: safely(read.umask) }
  return {
    changes() {
      const now = { cwd: safely(read.cwd), umask: safely(read.umask) }
      const changes: StateChange[] = []
      const before = seen
      const push = (key: 'cwd' | 'umask', put: () => void): void => {
        if (before[key] === now[key]) return
        changes.push({
          kind: 'K16',
          path: `process#${key}()`,
          owner: process,
          key: `${key}()`,
          identity: now[key],
          original: String(before[key]),
          current: String(now[key]),
          fix: 'put it back in onTestFinished',
          undo: put,
          isPresent: () => safely<unknown>(read[key]) !== before[key],
        })
      }
      push('cwd', () => process.chdir(String(before.cwd)))
      push('umask', () => void process.umask(Number(before.umask)))
      seen = now
      return changes
    },
  }
}

/** A working directory that was deleted cannot be read, and a worker thread has no umask of its own to set. */
function safely<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}
