import type { JsonObject } from '../core/json.ts'
import { unwrapBare } from './body.ts'
import type { CallOptions, Transport } from './transport.ts'

/** A named person's word that a host is dead, in place of a proof. */
export interface DeathAssertion {
  readonly host: string
  readonly reason: string
  readonly assertedBy: string
}

export const FENCES_PATH = '/api/v1/fences'

/** Calls on fence certificates. They throw what `Transport.send` throws. */
export class Fences {
  readonly #transport: Transport

  constructor(transport: Transport) {
    this.#transport = transport
  }

  /** Records the assertion. @returns the certificate that the server made of it */
  async assertDead(assertion: DeathAssertion, options: CallOptions = {}): Promise<JsonObject> {
    const call = { method: 'POST', api: 'root', path: FENCES_PATH, body: assertion } as const
    return unwrapBare(await this.#transport.send({ ...call, ...options }), `POST ${FENCES_PATH}`) as JsonObject
  }
}
