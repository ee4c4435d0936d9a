import type { Key } from '../core/key.ts'
import type { Leak } from '../core/leak.ts'
import { SlotTable } from '../core/slots.ts'
import type { Tracker } from '../core/tracker.ts'
import type { Adapter, GuardOptions } from './adapter.ts'
import { foldTimers } from './clock.ts'
import { changeLeak, stateLeak } from './leaks.ts'
import { environmentSensor, ListenerSensor, processSensor } from './sensors.ts'
import type { Sensor } from './sensors.ts'
import {
  builtinNamespaces,
  builtinsLoaded,
  builtinTargets,
  loadNamedBuiltins,
  madeTargets,
  watchedTargets,
} from './watched-targets.ts'

/**
 * The places that everybody can reach and that are compared with what they were: globals, the environment, listeners,
 * built-in modules, and the process where that is asked for. What differed once is remembered until the file ends.
 */
export class SharedPlaces {
  readonly #tracker: Tracker
  readonly #adapter: Adapter
  readonly #options: GuardOptions
  readonly #slots = new SlotTable()
  readonly #listeners = new ListenerSensor()
  #sensors: Sensor[] = [this.#listeners]
  /** The first change of each place in this file: it knows what the file has found there. */
  readonly #first = new Map<object, Map<Key, Leak>>()
  #builtins = -1
  #modules = -1
  #promoted = -1
  readonly #namespaces = new Set<string>()
  readonly #defaults = new Map<string, object>()

  constructor(tracker: Tracker, adapter: Adapter, options: GuardOptions) {
    this.#tracker = tracker
    this.#adapter = adapter
    this.#options = options
  }

  /** What is there now is what a file begins with. */
  beginFile(): void {
    this.#first.clear()
    if (!this.#options.restores) return
    const { mentions } = this.#adapter
    this.#slots.read((key) => mentions?.(new RegExp(`\\b${String(key)}\\b`)) !== false)
  }

  watchEmitter(target: object, path: string): void {
    this.#listeners.watch(target, path)
  }

  /** Looks at built-in modules that were loaded since the last call. */
  async refresh(): Promise<void> {
    if (this.#sensors.length === 1) {
      loadNamedBuiltins(this.#adapter.mentions)
      this.#watchAll()
    }
    if (!this.#lookAtBuiltins()) return
    // Only this module can bring the namespaces of the others up to date, and so out of step.
    if (!this.#options.strict && this.#adapter.usesBuiltin?.('module') === false) return
    const missing = [...this.#defaults.keys()].filter((id) => !this.#namespaces.has(id))
    for (const id of missing) this.#namespaces.add(id)
    for (const target of await builtinNamespaces(missing)) this.#slots.watch(target)
  }

  /** What is there when a file begins is what its tests are compared with. */
  #watchAll(): void {
    const { realm } = this.#adapter
    const { strict } = this.#options
    this.#sensors = [environmentSensor(realm), this.#listeners, ...(strict ? [processSensor()] : [])]
    for (const target of watchedTargets(realm)) {
      // Well-known prototypes are compared only when strict; otherwise they only lend their name to what is spied there.
      this.#slots.watch(target, { compare: strict || target.rare !== true })
    }
    for (const target of madeTargets(realm)) this.#slots.watch(target)
    const { process } = realm
    for (const [target, path] of [
      [process, 'process#'],
      [process.stdout, 'process#stdout'],
      [process.stderr, 'process#stderr'],
    ] as const) {
      this.#listeners.watch(target, path)
    }
  }

  /** Whether there is anything new since the last call. */
  #lookAtBuiltins(): boolean {
    const loaded = builtinsLoaded()
    const isNew = loaded !== this.#builtins
    if (isNew) {
      this.#builtins = loaded
      for (const target of madeTargets(this.#adapter.realm)) this.#slots.watch(target, { given: {} })
      for (const { id, targets } of builtinTargets({ everything: this.#options.strict })) {
        if (this.#defaults.has(id)) continue
        this.#defaults.set(id, targets[0]!.target)
        for (const target of targets) this.#slots.watch(target)
      }
    }
    this.promote()
    return isNew || this.#namespaces.size < this.#defaults.size
  }

  /** What the program imports is compared after every test. */
  promote(): void {
    const modules = this.#adapter.modulesLoaded?.() ?? 0
    if (modules === this.#modules && this.#promoted === this.#defaults.size) return
    this.#modules = modules
    this.#promoted = this.#defaults.size
    for (const [id, target] of this.#defaults) {
      if (this.#adapter.usesBuiltin?.(id) !== false) this.#slots.promote(target)
    }
  }

  /** What differs since the last call; `everything` is also what is rarely patched. */
  changes(everything = true): Leak[] {
    const changed = this.#slots.changes({ everything })
    const stateChanges = this.#sensors.flatMap((sensor) => sensor.changes())
    if (changed.length === 0 && stateChanges.length === 0) return []
    const slots = foldTimers(this.#tracker, changed, (change) => changeLeak(this.#tracker, change))
    const states = stateChanges.map((change) => stateLeak(this.#tracker, change))
    const leaks: Leak[] = []
    for (const leak of [...slots, ...states]) {
      let keys = this.#first.get(leak.owner)
      if (!keys) this.#first.set(leak.owner, (keys = new Map()))
      const slot = leak.kind === 'K11' ? Symbol('listener') : leak.key
      const first = keys.get(slot)
      if (!first) keys.set(slot, leak)
      // Back to what the file started with: that is a repair, whoever did it.
      else if (!first.isPresent()) continue
      leaks.push(leak)
    }
    return leaks
  }

  /** Where the file began otherwise and nothing has been put back since. */
  stillChanged(): { readonly key: Key; readonly leak: Leak }[] {
    const changed: { readonly key: Key; readonly leak: Leak }[] = []
    for (const keys of this.#first.values()) {
      for (const [key, leak] of keys) if (leak.isPresent()) changed.push({ key, leak })
    }
    return changed
  }

  /** Whether a fake clock was seen in this file. */
  hadFakeClock(): boolean {
    return this.#first.values().some((keys) => keys.has('fake timers'))
  }

  has(target: object): boolean {
    return this.#slots.has(target)
  }

  pathOf(target: object): string | undefined {
    return this.#slots.pathOf(target)
  }

  /** Compared only where something suggests it: a change there may be older than the test that shows it. */
  isRare(target: object): boolean {
    return this.#slots.isRare(target) === true
  }
}
