import { nativeObject } from '../core/natives.ts'
import type { Leak } from '../core/leak.ts'
import { Tracker } from '../core/tracker.ts'

/** One per process: the wrappers are there once, however often a runner evaluates the set-up file. */
export interface ProcessState {
  readonly tracker: Tracker
  /** Takes the wrappers off again. */
  readonly uninstall: (() => void)[]
  /** What earlier files of this process left and nobody restored. */
  left: { readonly leak: Leak; readonly file: string }[]
}

const slot = Symbol.for('mockguard.process-state')

export function processState(): ProcessState {
  const home = globalThis as { [slot]?: ProcessState }
  const found = home[slot]
  if (found) return found
  const made: ProcessState = { tracker: new Tracker(), uninstall: [], left: [] }
  nativeObject.defineProperty(globalThis, slot, { value: made, enumerable: false, configurable: true })
  return made
}

export function uninstallAll(state: ProcessState): void {
  for (const undo of state.uninstall.splice(0).toReversed()) undo()
}
