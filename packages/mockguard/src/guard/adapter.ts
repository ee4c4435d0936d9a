import type { Root } from '../core/roots.ts'
import type { UndoneBy } from '../core/tracker.ts'
import type { Realm } from './watched-targets.ts'

/** What a runner tells about itself. */
export interface Adapter {
  readonly realm: Realm
  /** The modules that are loaded now. */
  roots(): Root[]
  /** What the runner's own configuration undoes before the next test. */
  readonly undoneBetweenTests: ReadonlySet<UndoneBy>
  /** Whether code of the program imports this built-in module. When absent, all count as imported. */
  readonly usesBuiltin?: (id: string) => boolean
  /** Changes when a module was loaded: until then what is imported stays the same. */
  readonly modulesLoaded?: () => number
  /** Whether something other than the watched creators may have made mocks. When absent, it may. */
  readonly hasOtherMocks?: () => boolean
  /** Whether code of the program names a member that matches. When absent, it may. */
  readonly mentions?: (name: RegExp) => boolean
}

export interface GuardOptions {
  readonly depth: number
  readonly scan: 'tracked' | 'file' | 'test'
  readonly strict: boolean
  readonly onlyUnique: boolean
  /** What is found will be put back, so what was there has to be known. */
  readonly restores: boolean
}
