import { SystemClock, type Clock } from '../../core/clock.ts'

/** The machine's clock, whose wall time a test moves; its timers run as they do, so that real stores can be used. */
export class ShiftableClock extends SystemClock implements Clock {
  #offsetMs = 0

  override now(): number {
    return super.now() + this.#offsetMs
  }

  shift(ms: number): void {
    this.#offsetMs += ms
  }
}
