import { nativeObject, nativeReflect } from '../core/natives.ts'
import type { Leak, TestRef } from '../core/leak.ts'
import { ownData } from '../core/is-mock.ts'
import type { SlotChange } from '../core/slots.ts'
import { descriptorOf, sameDescriptor } from '../core/tracker.ts'
import type { Tracker } from '../core/tracker.ts'
import { fixFor } from './fix.ts'

const timerKeys = new Set<unknown>([
  'setTimeout',
  'clearTimeout',
  'setInterval',
  'clearInterval',
  'setImmediate',
  'clearImmediate',
  'queueMicrotask',
  'requestAnimationFrame',
  'cancelAnimationFrame',
  'requestIdleCallback',
  'cancelIdleCallback',
  'Date',
  'performance',
  'Intl',
  'Temporal',
  'nextTick',
  'hrtime',
  'setTimeoutPromise',
  'scheduler',
])
export function isTimer(key: unknown): boolean {
  return timerKeys.has(key)
}

const timerHomes =
  /^(globalThis#|process#|globalThis#performance|globalThis#Date|node:(timers|timers\/promises|perf_hooks|util).*)$/

/** K8: a fake clock replaces a dozen globals; it is one finding, not dozens (testkit.md M-11). */
export function foldTimers(
  tracker: Tracker,
  changes: readonly SlotChange[],
  leakOf: (change: SlotChange) => Leak,
): Leak[] {
  const timers = changes.filter(
    ({ watched, key }) =>
      timerHomes.test(watched.path) &&
      (timerKeys.has(key) || (watched.path !== 'globalThis#' && watched.path !== 'process#')),
  )
  const faked = tracker.clock?.isOn() === true || timers.some(({ after }) => isClock(after?.value))
  const others = changes.filter((change) => !faked || !timers.includes(change)).map(leakOf)
  if (!faked || timers.length === 0) return others
  const clock = tracker.clock?.isOn() === true ? tracker.clock : null
  const anchor =
    timers.find(({ watched, key }) => watched.path === 'globalThis#' && (key === 'setTimeout' || key === 'Date')) ??
    timers[0]!
  const library = clock?.library ?? 'sinon'
  return [
    {
      path: `timers#${library}`,
      also: [],
      kind: 'K8',
      owner: anchor.watched.target,
      key: 'fake timers',
      identity: anchor.after?.value,
      origin: clock?.origin ?? null,
      original: 'real timers',
      current: 'fake timers',
      fix: fixFor(clock?.origin.creator ?? 'sinon.useFakeTimers'),
      undo() {
        clock?.undo()
        const uninstall = ownData((anchor.after?.value as { clock?: object } | undefined)?.clock ?? {}, 'uninstall')
        if (!clock && typeof uninstall === 'function') nativeReflect.apply(uninstall, undefined, [])
        for (const { watched, key, before } of timers) {
          if (sameDescriptor(descriptorOf(watched.target, key), before)) continue
          if (before) nativeObject.defineProperty(watched.target, key, before)
          else nativeReflect.deleteProperty(watched.target, key)
        }
        if (tracker.clock === clock) tracker.clock = null
      },
      isPresent: () =>
        timers.some(({ watched, key, before }) => !sameDescriptor(descriptorOf(watched.target, key), before)),
    },
    ...others,
  ]
}

function isClock(value: unknown): boolean {
  return typeof value === 'function' && ownData(value, 'clock') !== undefined
}

/** A clock that is still on although no watched timer changed hands (it was installed before the file's first look). */
export function clockLeak(tracker: Tracker, test: TestRef | null): Leak | null {
  const { clock } = tracker
  if (!clock?.isOn() || (test !== null && clock.origin.owner?.id !== test.id)) return null
  return {
    path: `timers#${clock.library}`,
    also: [],
    kind: 'K8',
    owner: clock,
    key: 'fake timers',
    identity: clock,
    origin: clock.origin,
    original: 'real timers',
    current: 'fake timers',
    fix: fixFor(clock.origin.creator),
    undo() {
      clock.undo()
      if (tracker.clock === clock) tracker.clock = null
    },
    isPresent: () => tracker.clock === clock && clock.isOn(),
  }
}
