import type { Clock } from '../../core/clock.ts'
import { TimeoutError } from '../../core/errors.ts'
import { ComputeUnavailableError, InstanceRefusedError } from '../errors.ts'
import type { Fault, Faults, FaultyCall } from './faults.ts'

/** How long the simulated platform takes, in ms. */
export interface SimulatedLatency {
  /** To answer a question. */
  readonly askMs: number
  /** To take a request. */
  readonly requestMs: number
  readonly startMs: number
  readonly stopMs: number
  /** To rebuild a guest on another host. */
  readonly evacuateMs: number
  /** To cut a host's power or to read it. */
  readonly powerMs: number
  /** Added to a call that is hit by the fault `slow`. */
  readonly slowMs: number
}

export const DEFAULT_LATENCY: SimulatedLatency = {
  askMs: 0,
  requestMs: 0,
  startMs: 500,
  stopMs: 500,
  evacuateMs: 2_000,
  powerMs: 200,
  slowMs: 10_000,
}

/** The way to the simulated platform and back: it takes time, and it goes wrong as ordered. */
export class PlatformCalls {
  readonly latency: SimulatedLatency
  readonly #clock: Clock
  readonly #faults: Faults

  constructor({ clock, faults, latency }: { clock: Clock; faults: Faults; latency: SimulatedLatency }) {
    this.#clock = clock
    this.#faults = faults
    this.latency = latency
  }

  /**
   * Carries one call there and its answer back.
   *
   * @param durationMs how long the platform takes before it acts
   * @param work what the platform does, told of a fault that only it can act out; not called when the call never arrives
   * @throws ComputeUnavailableError, InstanceRefusedError, TimeoutError (also after `work` was done), the signal's reason
   */
  async carry<T>(
    {
      call,
      subject,
      durationMs,
      signal,
    }: { call: FaultyCall; subject: string; durationMs: number; signal: AbortSignal },
    work: (fault: Fault | undefined) => T,
  ): Promise<T> {
    await this.#clock.sleep(durationMs, { signal })
    const fault = this.#faults.next(call, subject)
    if (fault === 'unavailable') {
      throw new ComputeUnavailableError(`The simulated platform did not answer ${call} for ${subject}. Ask again.`)
    }
    if (fault === 'refuse') {
      throw new InstanceRefusedError(`The simulated platform refused ${call} for ${subject}. Nothing was done.`)
    }
    const answer = work(fault)
    if (fault === 'time-out-after-success') {
      throw new TimeoutError(`The call ${call} for ${subject} to the simulated platform`, durationMs)
    }
    if (fault === 'slow') await this.#clock.sleep(this.latency.slowMs, { signal })
    return answer
  }
}
