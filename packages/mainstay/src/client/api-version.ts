import { unwrapList, unwrapRecord } from './body.ts'
import type { CallOptions, Transport } from './transport.ts'

/** A version of the API that a server offers. Source: ha-api.md 2. */
export interface ApiVersion {
  readonly id: string
  readonly status: string
  /** The newest microversion. */
  readonly version: string
  /** The oldest microversion. */
  readonly min_version: string
  readonly updated: string
  readonly links: readonly { readonly rel: string; readonly href: string }[]
}

/** Calls that tell what a server can do. They throw what `Transport.send` throws. */
export class ApiVersions {
  readonly #transport: Transport

  constructor(transport: Transport) {
    this.#transport = transport
  }

  /** Every version that the server offers; needs no token. */
  async list(options: CallOptions = {}): Promise<ApiVersion[]> {
    const answer = await this.#transport.send({ method: 'GET', api: 'root', path: '/', ...options })
    return unwrapList(answer, 'versions', 'GET /') as ApiVersion[]
  }

  /** The document of the v1 API, which is behind the server's authentication. */
  async show(options: CallOptions = {}): Promise<ApiVersion> {
    const answer = await this.#transport.send({ method: 'GET', api: 'v1', path: '/', ...options })
    return unwrapRecord(answer, 'version', 'GET /v1/') as ApiVersion
  }
}
