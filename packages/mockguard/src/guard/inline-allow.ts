import { nativeObject } from '../core/natives.ts'
import type { Key } from '../core/key.ts'
import { MockguardConfigError } from './options.ts'

// On the global object, because a test's copy of this module and the guard's may be two.
const slot = Symbol.for('mockguard.inline-allow')
type Store = WeakMap<object, Map<Key, string>>

function store(): Store {
  const home = globalThis as { [slot]?: Store }
  const found = home[slot]
  if (found) return found
  const made: Store = new WeakMap()
  nativeObject.defineProperty(globalThis, slot, { value: made, enumerable: false, configurable: true })
  return made
}

/** Lets the mock in `target[key]` stay for the rest of the file. Throws MockguardConfigError without a reason. */
export function allow(target: object, key: Key, reason: string): void {
  if (reason.trim() === '')
    throw new MockguardConfigError(`allow(…, ${String(key)}) has no reason: say why this mock may stay`)
  let keys = store().get(target)
  if (!keys) store().set(target, (keys = new Map()))
  keys.set(key, reason)
}

export function inlineAllowance(target: object, key: Key): string | undefined {
  return store().get(target)?.get(key)
}
