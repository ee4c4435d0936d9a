import { unwrapBare, unwrapList } from './body.ts'
import type { CallOptions, Transport } from './transport.ts'

/** A host as the compute platform has it. */
export interface ComputeHostRecord {
  readonly name: string
  readonly state: 'up' | 'down' | 'unknown'
  /** Whether new guests may be placed on it. */
  readonly enabled: boolean
  readonly disabledReason: string | null
  readonly memoryMib: number
  readonly freeMemoryMib: number
  readonly vcpus: number
}

const COMPUTE_HOSTS = '/api/v1/compute-hosts'

/** The path of an act on a host. */
export function computeHostPath(name: string, action: 'enable' | 'disable'): string {
  return `${COMPUTE_HOSTS}/${encodeURIComponent(name)}/${action}`
}

/** Calls on the hosts of the compute platform. They throw what `Transport.send` throws. */
export class ComputeHosts {
  readonly #transport: Transport

  constructor(transport: Transport) {
    this.#transport = transport
  }

  async list(options: CallOptions = {}): Promise<ComputeHostRecord[]> {
    const answer = await this.#transport.send({ method: 'GET', api: 'root', path: COMPUTE_HOSTS, ...options })
    return unwrapList(answer, 'hosts', `GET ${COMPUTE_HOSTS}`) as ComputeHostRecord[]
  }

  /** Lets new guests be placed on a host, or keeps them away. @returns the host as it is then */
  async act(
    name: string,
    action: 'enable' | 'disable',
    body: { reason: string },
    options: CallOptions = {},
  ): Promise<ComputeHostRecord> {
    const path = computeHostPath(name, action)
    const answer = await this.#transport.send({ method: 'POST', api: 'root', path, body, ...options })
    return unwrapBare(answer, `POST ${path}`) as ComputeHostRecord
  }
}
