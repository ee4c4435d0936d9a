import type { StoreFault } from './faulty-store.ts'

/**
 * The database as all processes of a rig meet it: it can be killed, and started again later. What it did it remembers,
 * because a transition is durable before it is answered; only the answer to the call that was under way is lost.
 *
 *   running ──kill──▶ away, with one call under way ──a call──▶ away ──start──▶ running
 */
export class StoreLine {
  #connection = new AbortController()
  #state: 'running' | 'dying' | 'away' = 'running'

  get running(): boolean {
    return this.#state === 'running'
  }

  /** Those who watch changes have lost their connection when it is aborted. */
  get connection(): AbortSignal {
    return this.#connection.signal
  }

  kill(): void {
    this.#state = 'dying'
    this.#connection.abort()
  }

  start(): void {
    this.#state = 'running'
    this.#connection = new AbortController()
  }

  /** What becomes of a call that is made now. */
  next(): StoreFault {
    if (this.#state === 'running') return 'none'
    if (this.#state === 'away') return 'before'
    this.#state = 'away'
    return 'after'
  }
}
