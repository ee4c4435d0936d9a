import type { Host, MainstayClient, Segment } from '../client/index.ts'
import { NoSuchThingError } from './errors.ts'

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/**
 * The uuid of a segment that a person names. A uuid is taken as it is.
 *
 * @throws NoSuchThingError, and what the client throws
 */
export async function segmentUuid(client: MainstayClient, nameOrUuid: string, signal: AbortSignal): Promise<string> {
  if (UUID.test(nameOrUuid)) return nameOrUuid
  const found = await find(client.segments.list({ signal }), (segment: Segment) => segment.name === nameOrUuid)
  if (found !== undefined) return found.uuid
  throw new NoSuchThingError(`No segment is named "${nameOrUuid}". "mainstay segment list" shows those that exist.`)
}

/**
 * The uuid of a host of a segment that a person names. A uuid is taken as it is.
 *
 * @throws NoSuchThingError, and what the client throws
 */
export async function hostUuid(
  client: MainstayClient,
  segment: string,
  nameOrUuid: string,
  signal: AbortSignal,
): Promise<string> {
  if (UUID.test(nameOrUuid)) return nameOrUuid
  const found = await find(client.hosts.list(segment, { signal }), (host: Host) => host.name === nameOrUuid)
  if (found !== undefined) return found.uuid
  throw new NoSuchThingError(
    `No host of segment ${segment} is named "${nameOrUuid}". "mainstay host list ${segment}" shows those that exist.`,
  )
}

async function find<T>(items: AsyncIterable<T>, matches: (item: T) => boolean): Promise<T | undefined> {
  for await (const item of items) if (matches(item)) return item
  return undefined
}
