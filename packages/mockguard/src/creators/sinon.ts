import { createRequire } from 'node:module'
import { nativeObject, nativeReflect } from '../core/natives.ts'
import { descriptorOf, sameDescriptor } from '../core/tracker.ts'
import type { Tracker } from '../core/tracker.ts'
import type { Key } from '../core/key.ts'
import { ownData } from '../core/is-mock.ts'
import { wrapMethod } from '../core/wrap.ts'
import type { ProcessState } from '../guard/process-state.ts'

const require = createRequire(import.meta.url)

/** Watches sinon if a module of the program has loaded it, in either form. Cheap enough to ask before each file. */
export function watchSinonWhenLoaded(state: ProcessState, more: readonly object[] = []): void {
  for (const [file, module] of nativeObject.entries(require.cache)) {
    if (
      /[\\/]node_modules[\\/]sinon[\\/](lib|pkg)[\\/]sinon(-no-sourcemaps)?\.c?js$/.test(file) &&
      isObject(module?.exports)
    ) {
      state.uninstall.push(...watchSinon(module.exports, state.tracker))
    }
  }
  for (const api of more) state.uninstall.push(...watchSinon(api, state.tracker))
}

/** Watches a sinon sandbox, the default one or one of `createSandbox`. Returns the functions that take the wrappers off. */
export function watchSinon(sandbox: object, tracker: Tracker): (() => void)[] {
  const undos: (() => void)[] = []
  const on = (name: string, around: Parameters<typeof wrapMethod>[2]): void => {
    const undo = wrapMethod(sandbox, name, around)
    if (undo) undos.push(undo)
  }
  for (const name of ['stub', 'spy', 'replace', 'replaceGetter', 'replaceSetter', 'define']) {
    on(name, (run, args, _self, wrapper) => {
      const [target, key] = args
      const slots = isObject(target) ? (key === undefined ? ownFunctions(target) : [key as Key]) : []
      const before = slots.map((slot) => [slot, descriptorOf(target as object, slot)] as const)
      const result = run()
      const origin = tracker.origin(`sinon.${name}`, wrapper)
      if (slots.length === 0) {
        if (isObject(result)) tracker.floated(result, origin)
        return result
      }
      for (const [slot, original] of before) {
        const now = descriptorOf(target as object, slot)
        const unchanged = sameDescriptor(original, now)
        if (unchanged && key === undefined) continue
        // `stub(object, 'accessor')` replaces nothing until `.get(fn)` is called on what it returned.
        const mock = [unchanged || !now ? undefined : (ownData(now, 'value') ?? ownData(now, 'get')), result].find(
          isObject,
        )
        if (!mock) continue
        const access = now?.get || now?.set ? 'get' : 'value'
        tracker.spied({
          target: target as object,
          key: slot,
          access,
          mock,
          origin,
          original,
          undoneBy: null,
          late: false,
        })
      }
      return result
    })
  }
  on('fake', (run, _args, _self, wrapper) => {
    const mock = run()
    if (isObject(mock)) tracker.floated(mock, tracker.origin('sinon.fake', wrapper))
    return mock
  })
  on('useFakeTimers', (run, _args, _self, wrapper) => {
    const clock = run()
    if (!isObject(clock)) return clock
    const restore = ownData(clock, 'restore') ?? ownData(clock, 'uninstall')
    const origin = tracker.origin('sinon.useFakeTimers', wrapper)
    tracker.clock = {
      library: 'sinon',
      origin,
      isOn: () => ownData(globalThis.setTimeout, 'clock') === clock || ownData(globalThis.Date, 'clock') === clock,
      undo: () => typeof restore === 'function' && nativeReflect.apply(restore, clock, []),
    }
    return clock
  })
  on('createSandbox', (run) => {
    const made = run()
    if (isObject(made)) watchSinon(made, tracker)
    return made
  })
  return undos
}

function ownFunctions(target: object): Key[] {
  return nativeReflect.ownKeys(target).filter((key) => typeof descriptorOf(target, key)?.value === 'function')
}

function isObject(value: unknown): value is object {
  return (typeof value === 'object' || typeof value === 'function') && value !== null
}
