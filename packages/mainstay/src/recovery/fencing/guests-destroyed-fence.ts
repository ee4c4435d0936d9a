import type { FenceEvidence, HostName } from '../../compute/index.ts'
import { FenceFailedError, type Fence } from './fence.ts'

/** The part of a libvirt host that this fence needs. */
export interface GuestDestroyer {
  /** Destroys every guest through the host's own libvirtd and returns each one that was then seen gone. */
  destroyAllGuests(host: HostName, options: { signal: AbortSignal }): Promise<readonly FenceEvidence[]>
}

/**
 * Fences a host whose libvirtd still answers: each guest is destroyed through it and seen gone. The host stays on,
 * but none of its guests writes to a disk any more.
 */
export class GuestsDestroyedFence implements Fence {
  readonly method = 'guests-destroyed'
  readonly #host: GuestDestroyer

  constructor(host: GuestDestroyer) {
    this.#host = host
  }

  async cutOff(host: HostName, options: { signal: AbortSignal }): Promise<readonly FenceEvidence[]> {
    const evidence = await this.#host.destroyAllGuests(host, options)
    if (evidence.length === 0) {
      throw new FenceFailedError(`The libvirtd of host ${host} showed nothing that proves its guests gone.`)
    }
    return evidence
  }
}
