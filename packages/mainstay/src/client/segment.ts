import { unwrapList, unwrapRecord } from './body.ts'
import { pages, type ListOptions } from './paging.ts'
import { recordQuery } from './record-query.ts'
import type { StoredRecord } from './stored-record.ts'
import type { CallOptions, Transport } from './transport.ts'

export const RECOVERY_METHODS = ['auto', 'reserved_host', 'auto_priority', 'rh_priority'] as const
export type RecoveryMethod = (typeof RECOVERY_METHODS)[number]

/** A failover segment: hosts that take over from each other. Source: ha-api.md 6.1. */
export interface Segment extends StoredRecord {
  readonly uuid: string
  readonly name: string
  readonly service_type: string
  readonly enabled: boolean
  readonly description: string | null
  readonly recovery_method: RecoveryMethod
}

export interface NewSegment {
  readonly name: string
  readonly recovery_method: RecoveryMethod
  readonly service_type: string
  readonly description?: string | null | undefined
  readonly enabled?: boolean | undefined
}

export type SegmentChange = { readonly [Member in keyof NewSegment]?: NewSegment[Member] | undefined }

export interface SegmentListOptions extends ListOptions {
  readonly recoveryMethod?: string | undefined
  readonly serviceType?: string | undefined
  readonly enabled?: boolean | undefined
}

/** Calls on failover segments. They throw what `Transport.send` throws. Source: ha-api.md 6. */
export class Segments {
  readonly #transport: Transport

  constructor(transport: Transport) {
    this.#transport = transport
  }

  /** All segments that match, newest first unless sorted otherwise. */
  list(options: SegmentListOptions = {}): AsyncGenerator<Segment> {
    const { recoveryMethod, serviceType, enabled, signal } = options
    const filters = { recovery_method: recoveryMethod, service_type: serviceType, enabled }
    return pages(options, async (page) => {
      const query = { ...recordQuery(options, page), ...filters }
      const answer = await this.#transport.send({ method: 'GET', api: 'v1', path: '/segments', query, signal })
      return unwrapList(answer, 'segments', 'GET /segments') as Segment[]
    })
  }

  async show(uuid: string, options: CallOptions = {}): Promise<Segment> {
    const path = segmentPath(uuid)
    const answer = await this.#transport.send({ method: 'GET', api: 'v1', path, ...options })
    return unwrapRecord(answer, 'segment', `GET ${path}`) as Segment
  }

  async create(segment: NewSegment, options: CallOptions = {}): Promise<Segment> {
    const call = { method: 'POST', api: 'v1', path: '/segments', body: { segment } } as const
    return unwrapRecord(await this.#transport.send({ ...call, ...options }), 'segment', 'POST /segments') as Segment
  }

  async update(uuid: string, segment: SegmentChange, options: CallOptions = {}): Promise<Segment> {
    const path = segmentPath(uuid)
    const answer = await this.#transport.send({ method: 'PUT', api: 'v1', path, body: { segment }, ...options })
    return unwrapRecord(answer, 'segment', `PUT ${path}`) as Segment
  }

  async delete(uuid: string, options: CallOptions = {}): Promise<void> {
    await this.#transport.delete({ method: 'DELETE', api: 'v1', path: segmentPath(uuid), ...options })
  }
}

/** The path of one segment in the v1 API. */
export function segmentPath(uuid: string): string {
  return `/segments/${encodeURIComponent(uuid)}`
}
