import type { Asking, HostName } from '../compute.ts'
import type { PlatformCalls } from './platform-calls.ts'
import type { SimulatedFleet } from './simulated-fleet.ts'

export type PowerReading = 'on' | 'off'

/** The power of simulated hosts, as a BMC would serve it: for the fence that is proved against the fleet. */
export class SimulatedPower {
  readonly #fleet: SimulatedFleet
  readonly #calls: PlatformCalls

  constructor({ fleet, calls }: { fleet: SimulatedFleet; calls: PlatformCalls }) {
    this.#fleet = fleet
    this.#calls = calls
  }

  /**
   * Cuts a host's power, also that of one that is off already. That it resolves proves nothing: read the power.
   *
   * @throws HostNotFoundError, ComputeUnavailableError, InstanceRefusedError, TimeoutError
   */
  async powerOffHost(name: HostName, { signal }: Asking): Promise<void> {
    const call = { call: 'power-off', subject: name, durationMs: this.#calls.latency.powerMs, signal } as const
    await this.#calls.carry(call, (fault) => {
      if (fault === 'lie') this.#fleet.host(name)
      else this.#fleet.killHost(name, 'off')
    })
  }

  /**
   * What the host's power sensor says. A crashed or isolated host is on.
   *
   * @throws HostNotFoundError, ComputeUnavailableError, InstanceRefusedError, TimeoutError
   */
  async readPower(name: HostName, { signal }: Asking): Promise<PowerReading> {
    const call = { call: 'read-power', subject: name, durationMs: this.#calls.latency.powerMs, signal } as const
    return await this.#calls.carry(call, (fault): PowerReading => {
      const { condition } = this.#fleet.host(name)
      return condition === 'off' || fault === 'lie' ? 'off' : 'on'
    })
  }
}
