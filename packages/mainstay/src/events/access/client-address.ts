import type { IncomingMessage } from 'node:http'

/**
 * Where a client is, for limits and lists.
 *
 * @param behindProxy whether the last word of `X-Forwarded-For` is that of a proxy of ours; a client could write it too
 */
export function clientAddress(
  { headers, socket }: Pick<IncomingMessage, 'headers' | 'socket'>,
  { behindProxy }: { readonly behindProxy: boolean },
): string {
  const header = behindProxy ? headers['x-forwarded-for'] : undefined
  const forwarded = [header].flat().at(-1)?.split(',').at(-1)?.trim()
  return forwarded === undefined || forwarded === '' ? (socket.remoteAddress ?? 'unknown') : forwarded
}
