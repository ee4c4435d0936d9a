import { createHash } from 'node:crypto'

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** The name space of ids that are made from the ids of other sources; never changes. */
const NAME_SPACE = '6f3f7f0e-5d0b-5c4e-9a52-2f0c7a4f5b11'

export function isUuid(text: string): boolean {
  return UUID.test(text)
}

/**
 * The id of an event, the same on every node and at every replay: the source's own where that is a UUID, otherwise
 * one that is computed from it.
 *
 * Source: event-stream.md R2.
 */
export function stableId(sourceId: string): string {
  return isUuid(sourceId) ? sourceId.toLowerCase() : uuidV5(NAME_SPACE, sourceId)
}

/** A UUID made from a name (RFC 9562 version 5), lower case with dashes. */
export function uuidV5(nameSpace: string, name: string): string {
  const bytes = createHash('sha1')
    .update(Buffer.from(nameSpace.replaceAll('-', ''), 'hex'))
    .update(name)
    .digest()
    .subarray(0, 16)
  bytes[6] = (bytes[6]! & 0x0f) | 0x50
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  const hex = bytes.toString('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}
