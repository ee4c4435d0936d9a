import { SystemClock } from '../../core/clock.ts'
import { nextTurn } from '../../core/turn.ts'

/** Generous, because a loaded machine is no reason to fail. */
const PATIENCE_MS = 30_000

/** So often a condition is looked at without a pause: most hold after a few turns. */
const EAGER_TURNS = 50
const PAUSE_MS = 2

/** Waits until a condition holds; the loop turns meanwhile, so that sockets are served. */
export async function waitFor(what: string, condition: () => boolean, timeoutMs = PATIENCE_MS): Promise<void> {
  const clock = new SystemClock()
  const end = clock.monotonic() + timeoutMs
  for (let turn = 0; !condition(); turn += 1) {
    if (clock.monotonic() > end) throw new Error(`Waited ${timeoutMs} ms in vain for ${what}.`)
    await (turn < EAGER_TURNS ? nextTurn() : clock.sleep(PAUSE_MS))
  }
}
