import type { ManualClock } from '../../../../core/clock.ts'
import { nextTurn } from '../../../../core/turn.ts'

const STEPS = 10_000

/** Moves a clock by hand, `stepMs` at a time, until the work is done, and gives its result. */
export async function driven<T>(clock: ManualClock, work: Promise<T>, stepMs = 500): Promise<T> {
  const state = { done: false }
  const finished = (): void => void (state.done = true)
  work.then(finished, finished)
  for (let step = 0; step < STEPS; step += 1) {
    await nextTurn()
    if (state.done) return await work
    await clock.advance(stepMs)
  }
  throw new Error(`The work was not done after ${STEPS * stepMs} ms of the manual clock.`)
}
