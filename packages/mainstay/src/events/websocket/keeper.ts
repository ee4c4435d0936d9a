import type { Clock } from '../../core/clock.ts'
import type { WebSocketConnection } from './connection.ts'

/** How often connections are looked at. */
const LOOK_EVERY_MS = 1000

/** Looks at all WebSockets of a process, so that none of them needs a timer of its own. */
export class ConnectionKeeper {
  readonly #clock: Clock
  readonly #connections = new Set<WebSocketConnection>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get size(): number {
    return this.#connections.size
  }

  add(connection: WebSocketConnection): void {
    this.#connections.add(connection)
  }

  remove(connection: WebSocketConnection): void {
    this.#connections.delete(connection)
  }

  /** Looks at them until aborted. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#clock.sleep(LOOK_EVERY_MS, { signal })
      const now = this.#clock.monotonic()
      for (const connection of this.#connections) connection.look(now, LOOK_EVERY_MS)
    }
  }

  /** Ends those that are left. */
  terminateAll(): void {
    for (const connection of this.#connections) connection.terminate()
  }
}
