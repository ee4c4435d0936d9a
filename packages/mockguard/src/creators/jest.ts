import { dirname, resolve } from 'node:path'
import { nativeReflect } from '../core/natives.ts'
import type { Key } from '../core/key.ts'
import { descriptorOf } from '../core/tracker.ts'
import type { Tracker } from '../core/tracker.ts'
import { wrapMethod } from '../core/wrap.ts'
import type { CreatorHooks } from './vitest.ts'

/** Watches Jest's mocker: one class in Node's realm makes the mocks of every sandbox. */
export function watchModuleMocker(prototype: object, tracker: Tracker, hooks: CreatorHooks): (() => void)[] {
  const undos: (() => void)[] = []
  const on = (name: string, around: Parameters<typeof wrapMethod>[2]): void => {
    const undo = wrapMethod(prototype, name, around)
    if (undo) undos.push(undo)
  }
  on('spyOn', (run, [target, key, access], _self, wrapper) => {
    const before = isObject(target) ? descriptorOf(target, key as Key) : undefined
    const mock = run()
    if (!isObject(target) || !isObject(mock) || tracker.originOf(mock)) return mock
    const accessor = access === 'get' || access === 'set' ? access : 'value'
    const origin = tracker.origin('jest.spyOn', wrapper)
    tracker.spied({
      target,
      key: key as Key,
      access: accessor,
      mock,
      origin,
      original: before,
      undoneBy: 'mocks',
      late: false,
    })
    if (!origin.owner) hooks.onFileLevelMock?.(mock)
    return mock
  })
  on('replaceProperty', (run, [target, key], _self, wrapper) => {
    const before = isObject(target) ? descriptorOf(target, key as Key) : undefined
    const replaced = run()
    if (!isObject(target) || !isObject(replaced)) return replaced
    const origin = tracker.origin('jest.replaceProperty', wrapper)
    // The value is the user's own: what stands for the mock is the handle that restores it.
    tracker.spied({
      target,
      key: key as Key,
      access: 'value',
      mock: replaced,
      origin,
      original: before,
      undoneBy: 'mocks',
      late: false,
    })
    handles.add(replaced)
    return replaced
  })
  on('fn', (run, _args, _self, wrapper) => {
    const mock = run()
    if (!isObject(mock) || tracker.originOf(mock)) return mock
    const origin = tracker.origin('jest.fn', wrapper)
    tracker.floated(mock, origin)
    if (!origin.owner) hooks.onFileLevelMock?.(mock)
    return mock
  })
  on('resetAllMocks', (run) => {
    hooks.onQueuesReset?.()
    return run()
  })
  return undos
}

/** Jest keeps the handle only as long as the caller does, and a test may well drop it. */
const handles = new Set<object>()

export function forgetHandles(): void {
  handles.clear()
}

/** Watches one `jest` object. Jest makes one per module, so this is called for each. */
export function watchJestObject(jest: object, from: string, tracker: Tracker, realTimers: () => void): void {
  const call = (name: string, ...args: unknown[]): unknown => {
    const method = nativeReflect.get(jest, name) as unknown
    return typeof method === 'function' ? nativeReflect.apply(method, jest, args) : undefined
  }
  wrapMethod(jest, 'useFakeTimers', (run, _args, _self, wrapper) => {
    const result = run()
    if (tracker.clock?.isOn() === true) return result
    let on = true
    clocks.set(tracker, () => (on = false))
    const origin = tracker.origin('jest.useFakeTimers', wrapper)
    tracker.clock = {
      library: 'jest',
      origin,
      isOn: () => on,
      undo: () => {
        // Jest's own function refuses between two tests.
        realTimers()
        on = false
      },
    }
    return result
  })
  wrapMethod(jest, 'useRealTimers', (run) => {
    clocks.get(tracker)?.()
    return run()
  })
  for (const name of ['doMock', 'setMock', 'unstable_mockModule']) {
    wrapMethod(jest, name, (run, [id], _self, wrapper) => {
      const origin = tracker.origin(`jest.${name}`, wrapper)
      const key = registryKey(from, String(id))
      tracker.registry.set(key, {
        id: String(id),
        origin,
        undo: () => void call(name === 'unstable_mockModule' ? 'unstable_unmockModule' : 'dontMock', id),
      })
      return run()
    })
  }
  for (const name of ['dontMock', 'unmock', 'unstable_unmockModule']) {
    wrapMethod(jest, name, (run, [id]) => {
      tracker.registry.delete(registryKey(from, String(id)))
      return run()
    })
  }
}

const clocks = new WeakMap<Tracker, () => unknown>()

function registryKey(from: string, id: string): string {
  return `jest:${id.startsWith('.') ? resolve(dirname(from), id) : id}`
}

function isObject(value: unknown): value is object {
  return (typeof value === 'object' || typeof value === 'function') && value !== null
}
