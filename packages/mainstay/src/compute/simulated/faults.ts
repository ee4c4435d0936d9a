import { SeededRandom, type Random } from '../../core/random.ts'

/**
 * What may go wrong with one request to the simulated platform.
 *
 * - `refuse`: nothing is done, the platform says no.
 * - `unavailable`: nothing is done, the platform does not answer.
 * - `time-out-after-success`: it is done, but the caller hears only that it took too long.
 * - `slow`: it is done, much later.
 * - `capacity`: an evacuation finds no room.
 * - `fail-later`: it is accepted and then comes to nothing.
 * - `lie`: it is said to be done and is not; a question is answered with what is hoped for.
 */
export type Fault = 'refuse' | 'unavailable' | 'time-out-after-success' | 'slow' | 'capacity' | 'fail-later' | 'lie'

export type FaultyCall =
  | 'ask'
  | 'start'
  | 'stop'
  | 'evacuate'
  | 'reset-state'
  | 'disable-host'
  | 'enable-host'
  | 'power-off'
  | 'read-power'

/** How likely each fault is, from 0 to 1, by the call that it hits. */
export type FaultPlan = Partial<Record<FaultyCall, Partial<Record<Fault, number>>>>

/** Decides which request goes wrong: first by what was ordered, then by chance. */
export class Faults {
  readonly #plan: FaultPlan
  readonly #random: Random
  readonly #ordered: { call: FaultyCall; subject: string | undefined; fault: Fault; times: number }[] = []

  constructor(plan: FaultPlan, seed: number) {
    this.#plan = plan
    this.#random = new SeededRandom(seed)
  }

  /** Makes the next `times` such calls go wrong; only those for `subject` (a guest or host) when it is given. */
  order(call: FaultyCall, fault: Fault, { subject, times = 1 }: { subject?: string; times?: number } = {}): void {
    this.#ordered.push({ call, subject, fault, times })
  }

  next(call: FaultyCall, subject: string): Fault | undefined {
    const order = this.#ordered.find((each) => each.call === call && (each.subject ?? subject) === subject)
    if (order !== undefined) {
      order.times -= 1
      if (order.times <= 0) this.#ordered.splice(this.#ordered.indexOf(order), 1)
      return order.fault
    }
    const chances = this.#plan[call]
    if (chances === undefined) return undefined
    let left = this.#random.next()
    for (const [fault, chance] of Object.entries(chances) as [Fault, number][]) {
      left -= chance
      if (left < 0) return fault
    }
    return undefined
  }
}
