import type { Random } from '../../../core/random.ts'
import type { ProviderErrorClass } from '../errors.ts'

/**
 * What may go wrong with one call to the simulated cloud.
 *
 * - an error's class: nothing is done, the cloud says no
 * - `lost_answer`: it is done, but the caller hears of an error
 * - `fail_later`: a creation is accepted and the machine ends in error
 * - `hang`: no answer, until the caller gives up
 * - `slow`: it is done, much later
 * - `lie`: a list shows nothing; a destruction is said to be done and is not
 * - `partial`: a list shows every other machine
 * - `stale`: a list shows also what was destroyed
 * - `leave_resources`: a destruction leaves the volume and the address of the machine
 */
export type CloudFault =
  | ProviderErrorClass
  | 'lost_answer'
  | 'fail_later'
  | 'hang'
  | 'slow'
  | 'lie'
  | 'partial'
  | 'stale'
  | 'leave_resources'

export type CloudCall =
  | 'create'
  | 'destroy'
  | 'list'
  | 'describe'
  | 'start'
  | 'stop'
  | 'reset'
  | 'quota'
  | 'list_resources'
  | 'destroy_resource'

/** How likely each fault is, from 0 to 1, by the call that it hits. */
export type CloudFaultPlan = Partial<Record<CloudCall, Partial<Record<CloudFault, number>>>>

/** Decides which call goes wrong: first by what was ordered, then by chance. */
export class CloudFaults {
  readonly #random: Random
  readonly #ordered: { call: CloudCall; machine: string | undefined; fault: CloudFault; times: number }[] = []
  #plan: CloudFaultPlan

  constructor(plan: CloudFaultPlan, random: Random) {
    this.#plan = plan
    this.#random = random
  }

  /** Makes the next `times` such calls go wrong; only those about `machine` when it is given. */
  order(call: CloudCall, fault: CloudFault, options: { machine?: string; times?: number } = {}): void {
    const { machine, times = 1 } = options
    this.#ordered.push({ call, machine, fault, times })
  }

  /** Forgets orders and chances: from now on all goes well, or as the new plan says. */
  replace(plan: CloudFaultPlan = {}): void {
    this.#ordered.length = 0
    this.#plan = plan
  }

  next(call: CloudCall, machine: string | undefined): CloudFault | undefined {
    const order = this.#ordered.find((each) => each.call === call && (each.machine ?? machine) === machine)
    if (order !== undefined) {
      order.times -= 1
      if (order.times <= 0) this.#ordered.splice(this.#ordered.indexOf(order), 1)
      return order.fault
    }
    const chances = this.#plan[call]
    if (chances === undefined) return undefined
    let left = this.#random.next()
    for (const [fault, chance] of Object.entries(chances) as [CloudFault, number][]) {
      left -= chance
      if (left < 0) return fault
    }
    return undefined
  }
}
