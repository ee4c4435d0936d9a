import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { nativeReflect } from '../core/natives.ts'
import type { Tracker } from '../core/tracker.ts'
import { descriptorOf } from '../core/tracker.ts'
import { wrapMethod } from '../core/wrap.ts'
import type { Key } from '../core/key.ts'

export interface CreatorHooks {
  /** A mock was made outside any test: it lives as long as the file. */
  readonly onFileLevelMock?: (mock: object) => void
  readonly onQueuesReset?: () => void
}

/**
 * Watches the creators of Vitest's `vi`, one shared object, so that all importers go through the wrappers.
 * Returns the functions that take the wrappers off.
 */
export function watchVi(vi: object, tracker: Tracker, hooks: CreatorHooks = {}): (() => void)[] {
  const undos: (() => void)[] = []
  const on = (name: string, around: Parameters<typeof wrapMethod>[2]): void => {
    const undo = wrapMethod(vi, name, around)
    if (undo) undos.push(undo)
  }
  const call = (name: string, ...args: unknown[]): unknown => {
    const method = nativeReflect.get(vi, name) as unknown
    return typeof method === 'function' ? nativeReflect.apply(method, vi, args) : undefined
  }

  on('spyOn', (run, [target, key, access], _self, wrapper) => {
    const before = isObject(target) ? descriptorOf(target, key as Key) : undefined
    const mock = run()
    // A second spyOn of a spied method returns the same spy: no second record.
    if (!isObject(target) || !isObject(mock) || before?.value === mock || before?.get === mock || before?.set === mock)
      return mock
    if (tracker.originOf(mock)) return mock
    const origin = tracker.origin('vi.spyOn', wrapper)
    const accessor = access === 'get' || access === 'set' ? access : 'value'
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
  on('fn', (run, _args, _self, wrapper) => {
    const mock = run()
    if (!isObject(mock) || tracker.originOf(mock)) return mock
    const origin = tracker.origin('vi.fn', wrapper)
    tracker.floated(mock, origin)
    if (!origin.owner) hooks.onFileLevelMock?.(mock)
    return mock
  })
  on('mockObject', (run, _args, _self, wrapper) => {
    const mock = run()
    if (isObject(mock)) tracker.floated(mock, tracker.origin('vi.mockObject', wrapper))
    return mock
  })
  on('stubGlobal', (run, [name, value], _self, wrapper) => {
    tracker.stubbed(`globalThis#${String(name)}`, tracker.origin('vi.stubGlobal', wrapper), 'globals', value)
    return run()
  })
  on('stubEnv', (run, [name, value], _self, wrapper) => {
    // Vitest writes true as '1' and false as the empty string.
    const text = typeof value === 'boolean' ? (value ? '1' : '') : value
    tracker.stubbed(`process.env#${String(name)}`, tracker.origin('vi.stubEnv', wrapper), 'envs', text)
    return run()
  })
  on('resetAllMocks', (run) => {
    hooks.onQueuesReset?.()
    return run()
  })
  for (const name of ['useFakeTimers', 'setSystemTime']) {
    on(name, (run, _args, _self, wrapper) => {
      const result = run()
      if (tracker.clock?.isOn() === true) return result
      const origin = tracker.origin(`vi.${name}`, wrapper)
      let on = true
      tracker.clock = { library: 'vitest', origin, isOn: () => on, undo: () => void call('useRealTimers') }
      clocks.set(tracker, () => (on = false))
      return result
    })
  }
  on('useRealTimers', (run) => {
    clocks.get(tracker)?.()
    return run()
  })
  on('doMock', (run, [id], _self, wrapper) => {
    const origin = tracker.origin('vi.doMock', wrapper)
    const name = String(id)
    tracker.registry.set(`vi:${name}`, {
      id: name,
      origin,
      undo: () => void call('doUnmock', absoluteId(name, origin.trace.stack)),
    })
    return run()
  })
  on('doUnmock', (run, [id]) => {
    tracker.registry.delete(`vi:${String(id)}`)
    return run()
  })
  return undos
}

const clocks = new WeakMap<Tracker, () => unknown>()

/** `doUnmock` resolves a relative id against its caller, which here is not the file that called `doMock`. */
function absoluteId(id: string, stack: string | undefined): string {
  if (!id.startsWith('.')) return id
  const frame = /\((?:file:\/\/)?(\/[^()]*?):\d+:\d+\)|at (?:async )?(?:file:\/\/)?(\/[^()]*?):\d+:\d+/.exec(
    (stack ?? '').split('\n')[1] ?? '',
  )
  const file = frame?.[1] ?? frame?.[2]
  return file === undefined ? id : resolve(dirname(file.startsWith('file:') ? fileURLToPath(file) : file), id)
}

function isObject(value: unknown): value is object {
  return (typeof value === 'object' || typeof value === 'function') && value !== null
}
