import type { FenceEvidence, FenceMethod, HostName } from '../../compute/index.ts'
import type { Clock } from '../../core/clock.ts'
import { FenceFailedError, type Fence } from './fence.ts'

/** A power switch that can be read. */
export interface PowerSwitch {
  powerOff(host: HostName, options: { signal: AbortSignal }): Promise<void>
  readPower(host: HostName, options: { signal: AbortSignal }): Promise<'on' | 'off' | 'unknown'>
}

/** Fences with a switch that can be read back: it must read off twice. Source: goals.md, safety principle 1. */
export class PowerFence implements Fence {
  readonly method: FenceMethod
  readonly #power: PowerSwitch
  readonly #clock: Clock

  constructor({ method, power, clock }: { method: FenceMethod; power: PowerSwitch; clock: Clock }) {
    this.method = method
    this.#power = power
    this.#clock = clock
  }

  async cutOff(host: HostName, options: { signal: AbortSignal }): Promise<readonly FenceEvidence[]> {
    await this.#power.powerOff(host, options)
    return [await this.#look(host, options), await this.#look(host, options)]
  }

  async #look(host: HostName, options: { signal: AbortSignal }): Promise<FenceEvidence> {
    const state = await this.#power.readPower(host, options)
    if (state !== 'off') {
      throw new FenceFailedError(
        `The power of host ${host} reads ${state} after it was switched off. Switch it off by hand.`,
      )
    }
    return { at: this.#clock.now(), source: `${this.method} power of ${host}`, saw: 'off' }
  }
}
