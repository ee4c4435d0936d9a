import { unwrapList, unwrapRecord } from './body.ts'
import { pages, type ListOptions } from './paging.ts'
import { recordQuery } from './record-query.ts'
import { segmentPath, type Segment } from './segment.ts'
import type { StoredRecord } from './stored-record.ts'
import type { CallOptions, Transport } from './transport.ts'

/** A host that a segment protects. Source: ha-api.md 7.1. */
export interface Host extends StoredRecord {
  readonly uuid: string
  readonly name: string
  readonly failover_segment_id: string
  readonly failover_segment: Segment
  readonly type: string
  readonly reserved: boolean
  readonly control_attributes: string
  readonly on_maintenance: boolean
}

export interface NewHost {
  readonly name: string
  readonly type: string
  readonly control_attributes: string
  readonly reserved?: boolean | undefined
  readonly on_maintenance?: boolean | undefined
}

export type HostChange = { readonly [Member in keyof NewHost]?: NewHost[Member] | undefined }

export interface HostListOptions extends ListOptions {
  readonly type?: string | undefined
  readonly onMaintenance?: boolean | undefined
  readonly reserved?: boolean | undefined
}

/** Calls on the hosts of a segment. They throw what `Transport.send` throws. Source: ha-api.md 7. */
export class Hosts {
  readonly #transport: Transport

  constructor(transport: Transport) {
    this.#transport = transport
  }

  /** The segment's hosts that match, newest first unless sorted otherwise. */
  list(segment: string, options: HostListOptions = {}): AsyncGenerator<Host> {
    const { type, onMaintenance, reserved, signal } = options
    const path = hostsPath(segment)
    return pages(options, async (page) => {
      const query = { ...recordQuery(options, page), type, on_maintenance: onMaintenance, reserved }
      const answer = await this.#transport.send({ method: 'GET', api: 'v1', path, query, signal })
      return unwrapList(answer, 'hosts', `GET ${path}`) as Host[]
    })
  }

  async show(segment: string, uuid: string, options: CallOptions = {}): Promise<Host> {
    const path = hostPath(segment, uuid)
    const answer = await this.#transport.send({ method: 'GET', api: 'v1', path, ...options })
    return unwrapRecord(answer, 'host', `GET ${path}`) as Host
  }

  async create(segment: string, host: NewHost, options: CallOptions = {}): Promise<Host> {
    const path = hostsPath(segment)
    const answer = await this.#transport.send({ method: 'POST', api: 'v1', path, body: { host }, ...options })
    return unwrapRecord(answer, 'host', `POST ${path}`) as Host
  }

  async update(segment: string, uuid: string, host: HostChange, options: CallOptions = {}): Promise<Host> {
    const path = hostPath(segment, uuid)
    const answer = await this.#transport.send({ method: 'PUT', api: 'v1', path, body: { host }, ...options })
    return unwrapRecord(answer, 'host', `PUT ${path}`) as Host
  }

  async delete(segment: string, uuid: string, options: CallOptions = {}): Promise<void> {
    await this.#transport.delete({ method: 'DELETE', api: 'v1', path: hostPath(segment, uuid), ...options })
  }
}

/** The path of a segment's hosts in the v1 API. */
export function hostsPath(segment: string): string {
  return `${segmentPath(segment)}/hosts`
}

/** The path of one host in the v1 API. */
export function hostPath(segment: string, uuid: string): string {
  return `${hostsPath(segment)}/${encodeURIComponent(uuid)}`
}
