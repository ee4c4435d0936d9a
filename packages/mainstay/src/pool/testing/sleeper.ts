/**
 * A process that is put to sleep in the middle of its work, as by a pause of its host: just before a call that it is about
 * to make, with everything decided. It wakes up later and goes on as if no time had passed.
 *
 *   awake ──fallAsleepBefore──▶ drowsy ──that call──▶ asleep ──wake──▶ awake
 */
export class Sleeper {
  #call: string | null = null
  #asleep = false
  #woken = Promise.withResolvers<void>()

  get asleep(): boolean {
    return this.#asleep
  }

  fallAsleepBefore(call: string): void {
    this.#call = call
    this.#woken = Promise.withResolvers()
  }

  wake(): void {
    this.#call = null
    this.#asleep = false
    this.#woken.resolve()
  }

  /** Every call passes here; one that is made while the process sleeps waits for its end. */
  async pass(call: string): Promise<void> {
    if (call === this.#call) this.#asleep = true
    if (this.#asleep) await this.#woken.promise
  }
}
