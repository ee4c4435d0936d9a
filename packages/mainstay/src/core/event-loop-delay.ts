import { monitorEventLoopDelay } from 'node:perf_hooks'

/** How often the event loop is looked at, in milliseconds. */
const RESOLUTION_MS = 20

/** How long the event loop was held up, measured from the call on until it is disposed. */
export class EventLoopDelay implements Disposable {
  readonly #histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS })

  constructor() {
    this.#histogram.enable()
  }

  /** The longest time since the last call, in seconds. */
  worstSeconds(): number {
    const worst = Math.max(0, this.#histogram.max) / 1e9
    this.#histogram.reset()
    return worst
  }

  [Symbol.dispose](): void {
    this.#histogram.disable()
  }
}
