import { SystemClock } from '../../core/clock.ts'
import { nextTurn } from '../../core/turn.ts'

/** Generous, because a loaded machine is no reason to fail. */
const PATIENCE_MS = 30_000

/** Waits until a condition holds; the loop turns meanwhile, so that sockets are served. */
export async function waitFor(what: string, condition: () => boolean, timeoutMs = PATIENCE_MS): Promise<void> {
  const clock = new SystemClock()
  const end = clock.monotonic() + timeoutMs
  while (!condition()) {
    if (clock.monotonic() > end) throw new Error(`Waited ${timeoutMs} ms in vain for ${what}.`)
    await nextTurn()
  }
}
