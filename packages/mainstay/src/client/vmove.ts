import { unwrapList, unwrapRecord } from './body.ts'
import { notificationPath } from './notification.ts'
import { pages, type ListOptions } from './paging.ts'
import { recordQuery } from './record-query.ts'
import type { StoredRecord } from './stored-record.ts'
import type { CallOptions, Transport } from './transport.ts'

export const VMOVE_STATUSES = ['pending', 'ongoing', 'ignored', 'failed', 'succeeded'] as const
export const VMOVE_TYPES = ['evacuation', 'migration', 'live_migration'] as const

/** One guest's way from a dead host to another. Source: ha-api.md 9. */
export interface Vmove extends StoredRecord {
  readonly uuid: string
  readonly notification_uuid: string
  readonly instance_uuid: string
  readonly instance_name: string
  readonly source_host: string | null
  readonly dest_host: string | null
  readonly start_time: string | null
  readonly end_time: string | null
  readonly type: (typeof VMOVE_TYPES)[number] | null
  readonly status: (typeof VMOVE_STATUSES)[number] | null
  readonly message: string | null
}

export interface VmoveListOptions extends ListOptions {
  readonly status?: string | undefined
  readonly type?: string | undefined
}

/** Calls on the moves of a host's notification. They throw what `Transport.send` throws. Source: ha-api.md 9. */
export class Vmoves {
  readonly #transport: Transport

  constructor(transport: Transport) {
    this.#transport = transport
  }

  /** The notification's moves that match, newest first unless sorted otherwise. */
  list(notification: string, options: VmoveListOptions = {}): AsyncGenerator<Vmove> {
    const { status, type, signal } = options
    const path = `${notificationPath(notification)}/vmoves`
    return pages(options, async (page) => {
      const query = { ...recordQuery(options, page), status, type }
      const answer = await this.#transport.send({ method: 'GET', api: 'v1', path, query, signal })
      return unwrapList(answer, 'vmoves', `GET ${path}`) as Vmove[]
    })
  }

  async show(notification: string, uuid: string, options: CallOptions = {}): Promise<Vmove> {
    const path = `${notificationPath(notification)}/vmoves/${encodeURIComponent(uuid)}`
    const answer = await this.#transport.send({ method: 'GET', api: 'v1', path, ...options })
    return unwrapRecord(answer, 'vmove', `GET ${path}`) as Vmove
  }
}
