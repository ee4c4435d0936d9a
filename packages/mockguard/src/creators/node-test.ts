import { nativeObject, nativeReflect } from '../core/natives.ts'
import { registerMock } from '../core/is-mock.ts'
import type { Key } from '../core/key.ts'
import { descriptorOf } from '../core/tracker.ts'
import type { Tracker } from '../core/tracker.ts'
import { wrapMethod } from '../core/wrap.ts'

/**
 * Watches node:test's `MockTracker`: its prototype is shared by the global `mock` and by every `t.mock`, and the two are
 * told apart by `this`. What a `t.mock` made is undone when its test ends, after every hook: it is `late`.
 */
export function watchMockTracker(
  globalMock: object,
  tracker: Tracker,
  hooks: { onFileLevelMock?: (mock: object, context: object) => void } = {},
): (() => void)[] {
  const prototype = nativeObject.getPrototypeOf(globalMock) as object
  const undos: (() => void)[] = []
  const on = (home: object, name: string, around: Parameters<typeof wrapMethod>[2]): void => {
    const undo = wrapMethod(home, name, around)
    if (undo) undos.push(undo)
  }
  const called = (self: unknown, name: string): string => `${self === globalMock ? 'mock' : 't.mock'}.${name}`

  let nested = 0
  for (const name of ['method', 'getter', 'setter', 'property']) {
    on(prototype, name, (run, [target, key, ...rest], self, wrapper) => {
      const before = isObject(target) ? descriptorOf(target, key as Key) : undefined
      // `getter` and `setter` call `method`: one mock, one record.
      nested += 1
      let mock: unknown
      try {
        mock = run()
      } finally {
        nested -= 1
      }
      if (!isObject(mock)) return mock
      registerMock(mock)
      if (nested > 0 || !isObject(target)) return mock
      const access =
        name === 'getter' || asks(rest, 'getter') ? 'get' : name === 'setter' || asks(rest, 'setter') ? 'set' : 'value'
      const origin = tracker.origin(called(self, name), wrapper)
      tracker.spied({
        target,
        key: key as Key,
        access,
        mock,
        origin,
        original: before,
        undoneBy: null,
        late: self !== globalMock,
      })
      return mock
    })
  }
  on(prototype, 'fn', (run, _args, self, wrapper) => {
    const mock = run()
    if (!isObject(mock)) return mock
    registerMock(mock)
    const origin = tracker.origin(called(self, 'fn'), wrapper)
    tracker.floated(mock, origin)
    const context: unknown = nativeReflect.get(mock, 'mock')
    if (!origin.owner && self === globalMock && isObject(context)) hooks.onFileLevelMock?.(mock, context)
    return mock
  })
  on(prototype, 'module', (run, [id], self, wrapper) => {
    const context = run()
    if (!isObject(context)) return context
    const restore: unknown = nativeReflect.get(context, 'restore')
    if (self !== globalMock || typeof restore !== 'function') return context
    const origin = tracker.origin('mock.module', wrapper)
    const key = `node:${String(id)}:${(moduleCount += 1)}`
    const undo = wrapMethod(
      nativeObject.getPrototypeOf(context) as object,
      'restore',
      (restoreNow, _none, restored) => {
        modules.get(restored as object)?.()
        return restoreNow()
      },
    )
    if (undo) undos.push(undo)
    modules.set(context, () => tracker.registry.delete(key))
    tracker.registry.set(key, { id: String(id), origin, undo: () => void nativeReflect.apply(restore, context, []) })
    return context
  })
  const forget = (): void => {
    for (const key of tracker.registry.keys()) if (key.startsWith('node:')) tracker.registry.delete(key)
  }
  for (const name of ['restoreAll', 'reset']) {
    on(prototype, name, (run, _args, self) => {
      if (self === globalMock) forget()
      return run()
    })
  }
  watchTimers(globalMock, tracker, on)
  return undos
}

function watchTimers(
  globalMock: object,
  tracker: Tracker,
  on: (home: object, name: string, around: Parameters<typeof wrapMethod>[2]) => void,
): void {
  const globalTimers = nativeReflect.get(globalMock, 'timers') as object
  const home = nativeObject.getPrototypeOf(globalTimers) as object
  on(home, 'enable', (run, _args, self, wrapper) => {
    const result = run()
    // Those of a `t.mock` are reset with their test, after every hook.
    if (self !== globalTimers) {
      if (isObject(self)) tracker.lateClocks.add(self)
      return result
    }
    let enabled = true
    off.set(tracker, () => (enabled = false))
    tracker.clock = {
      library: 'node:test',
      origin: tracker.origin('mock.timers.enable', wrapper),
      isOn: () => enabled,
      undo: () => nativeReflect.apply(nativeReflect.get(globalTimers, 'reset') as () => void, globalTimers, []),
    }
    return result
  })
  on(home, 'reset', (run, _args, self) => {
    if (self === globalTimers) off.get(tracker)?.()
    else if (isObject(self)) tracker.lateClocks.delete(self)
    return run()
  })
}

function asks(options: readonly unknown[], name: string): boolean {
  return options.some((one) => typeof one === 'object' && one !== null && nativeReflect.get(one, name) === true)
}

const off = new WeakMap<Tracker, () => unknown>()
const modules = new WeakMap<object, () => unknown>()
let moduleCount = 0

function isObject(value: unknown): value is object {
  return (typeof value === 'object' || typeof value === 'function') && value !== null
}
