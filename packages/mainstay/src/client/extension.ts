import { unwrapList, unwrapRecord } from './body.ts'
import type { CallOptions, Transport } from './transport.ts'

/** A part of the API that a caller may look for. Source: ha-api.md 10. */
export interface Extension {
  readonly name: string
  readonly alias: string
  readonly description: string
  readonly namespace: string
  readonly updated: string
  readonly links: readonly unknown[]
}

/** Calls on extensions. They throw what `Transport.send` throws. */
export class Extensions {
  readonly #transport: Transport

  constructor(transport: Transport) {
    this.#transport = transport
  }

  async list(options: CallOptions = {}): Promise<Extension[]> {
    const answer = await this.#transport.send({ method: 'GET', api: 'v1', path: '/extensions', ...options })
    return unwrapList(answer, 'extensions', 'GET /extensions') as Extension[]
  }

  async show(alias: string, options: CallOptions = {}): Promise<Extension> {
    const path = `/extensions/${encodeURIComponent(alias)}`
    const answer = await this.#transport.send({ method: 'GET', api: 'v1', path, ...options })
    return unwrapRecord(answer, 'extension', `GET ${path}`) as Extension
  }
}
