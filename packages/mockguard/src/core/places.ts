import { pathFrom } from './key.ts'
import type { Root } from './roots.ts'

export interface Located {
  readonly path: string
  readonly also: readonly string[]
  readonly mocked: boolean
  readonly place: PlaceKind
}

/** Whether a slot is a module's own export, a static or prototype member, or anything else. */
export type PlaceKind = 'export' | 'class' | 'member'

/** One way to an object: from which object, by which step. A module's own exports have no holder. */
export interface Place {
  readonly root: Root
  readonly holder: object | null
  readonly step: string
  readonly level: number
}

/** A whole way from a module to an object. */
interface Way {
  readonly root: Root
  readonly steps: readonly string[]
}

const maxWays = 8
const maxHops = 12

/** How the objects of a walk are called: by all the ways that lead to them. */
export class Places {
  readonly #places = new Map<object, Place[]>()

  /** A way to an object, the first or a further one. */
  add(target: object, place: Place): void {
    const known = this.#places.get(target)
    if (!known) this.#places.set(target, [place])
    else if (known.length < maxWays) known.push(place)
  }

  has(target: object): boolean {
    return this.#places.has(target)
  }

  /** The paths of an object, or of one of its slots when the last step is given. */
  locate(target: object, tail: readonly string[] = []): Located | undefined {
    const places = this.#places.get(target)
    if (!places) return undefined
    const ways = this.#ways(target)
    const [path = '', ...also] = ways.map((way) => pathFrom(way.root.label, [...way.steps, ...tail]))
    const mocked = ways.some((way) => way.root.mocked === true)
    return { path, also, mocked, place: kindOf(target, ways[0], places[0]!) }
  }

  /**
   * All ways to an object, the best name first: the module that the others import is where the object lives; a class is
   * named by itself rather than through an instance; then the shorter way.
   */
  #ways(target: object, hops = 0): Way[] {
    const found: Way[] = []
    for (const place of this.#places.get(target) ?? []) {
      if (place.holder === null) found.push({ root: place.root, steps: [] })
      else if (place.holder !== target && hops < maxHops) {
        for (const way of this.#ways(place.holder, hops + 1).slice(0, maxWays)) {
          found.push({ root: way.root, steps: [...way.steps, place.step] })
        }
      }
    }
    const imports = (way: Way): number =>
      found.filter((other) => other.root !== way.root && way.root.importers?.has(other.root.id) === true).length
    const unique = new Map(found.map((way) => [pathFrom(way.root.label, way.steps), way]))
    return [...unique.values()]
      .sort((a, b) => imports(b) - imports(a) || detours(a) - detours(b) || a.steps.length - b.steps.length)
      .slice(0, maxWays)
  }
}

function detours(way: Way): number {
  return way.steps.filter((step) => step === '.__proto__').length
}

function kindOf(owner: object, way: Way | undefined, place: Place): PlaceKind {
  const last = way?.steps.at(-1)
  if (typeof owner === 'function' || last === '.prototype' || last === '.__proto__') return 'class'
  return place.level === 1 ? 'export' : 'member'
}
