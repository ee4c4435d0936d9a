import type { IncomingMessage } from 'node:http'

import type { Knock } from './gate.ts'

/**
 * What the gate looks at in a request.
 *
 * @param protocols the subprotocols that are offered
 */
export function knockOf(
  { headers, socket }: Pick<IncomingMessage, 'headers' | 'socket'>,
  query: URLSearchParams,
  protocols: readonly string[] = [],
): Knock {
  const secure = 'encrypted' in socket && socket.encrypted === true
  return {
    headers,
    query,
    protocols,
    remoteAddress: socket.remoteAddress ?? null,
    local: { address: socket.localAddress, port: socket.localPort, secure },
  }
}
