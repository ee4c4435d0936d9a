import type { Leak } from '../core/leak.ts'
import type { Located } from '../core/places.ts'
import type { Spy, Tracker } from '../core/tracker.ts'
import { spyLeak } from './leaks.ts'

/** Leaks by slot: what two engines see is one leak, and the one that knows its maker wins. */
export class Findings {
  readonly #byOwner = new Map<object, Leak[]>()

  /** False when it was known already. */
  add(leak: Leak | null): boolean {
    if (!leak) return false
    let leaks = this.#byOwner.get(leak.owner)
    if (!leaks) this.#byOwner.set(leak.owner, (leaks = []))
    const at = leaks.findIndex((one) => one.key === leak.key && isSame(one, leak))
    const known = leaks[at]
    if (!known) leaks.push(leak)
    else if (known.origin === null && leak.origin !== null) leaks[at] = leak
    return !known
  }

  addSpy(tracker: Tracker, spy: Spy, located: Located | undefined): void {
    if (located && !located.mocked) this.add(spyLeak(tracker, spy, located))
  }

  leaks(): Leak[] {
    return [...this.#byOwner.values()].flat()
  }
}

/** One slot holds one thing, but one event has many listeners. */
function isSame(a: Leak, b: Leak): boolean {
  return a.kind !== 'K11' || a.identity === b.identity
}
