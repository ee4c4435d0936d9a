import type { Key } from '../core/key.ts'
import type { Leak } from '../core/leak.ts'

/** What a file has been told of already. A slot holds one thing at a time; an event has many listeners. */
export class Reported {
  readonly #slots = new Map<object, Map<Key, Set<unknown>>>()

  has(leak: Leak): boolean {
    return this.#slots.get(leak.owner)?.get(leak.key)?.has(leak.identity) === true
  }

  hasSlot(owner: object, key: Key): boolean {
    return this.#slots.get(owner)?.has(key) === true
  }

  /** Whether any object has such a slot. */
  hasKey(key: Key): boolean {
    return this.#slots.values().some((keys) => keys.has(key))
  }

  add(leak: Leak): void {
    let keys = this.#slots.get(leak.owner)
    if (!keys) this.#slots.set(leak.owner, (keys = new Map()))
    const known = keys.get(leak.key)
    if (known && leak.kind === 'K11') known.add(leak.identity)
    else keys.set(leak.key, new Set([leak.identity]))
  }

  /** Undone: whoever leaves the same thing again leaves a new one. */
  forget(leak: Leak): void {
    this.#slots.get(leak.owner)?.delete(leak.key)
  }
}
