import { createHash } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'

/** Source: RFC 6455, 1.3. */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

const KEY = /^[+/0-9A-Za-z]{22}==$/

/** What is wrong with a request to upgrade, as an HTTP answer. */
export interface Refusal {
  readonly status: number
  readonly message: string
  readonly code?: string
  readonly headers?: Readonly<Record<string, string>>
}

/**
 * Whether a request asks for a WebSocket as RFC 6455, 4.2.1 wants it.
 *
 * @returns the value of `Sec-WebSocket-Accept`, or why it is refused
 */
export function checkUpgrade(method: string | undefined, headers: IncomingHttpHeaders): { accept: string } | Refusal {
  if (method !== 'GET') return { status: 405, message: 'A WebSocket begins with GET.', headers: { Allow: 'GET' } }
  if (headers.upgrade?.toLowerCase() !== 'websocket') {
    return { status: 426, message: 'Only websocket is spoken here.', headers: { Upgrade: 'websocket' } }
  }
  const key = headers['sec-websocket-key']
  if (key === undefined || !KEY.test(key)) {
    return { status: 400, message: 'Sec-WebSocket-Key must be 16 bytes in base64.' }
  }
  if (headers['sec-websocket-version'] !== '13') {
    const wanted = { 'Sec-WebSocket-Version': '13' }
    return { status: 426, message: 'Sec-WebSocket-Version must be 13.', headers: wanted }
  }
  return {
    accept: createHash('sha1')
      .update(key + GUID)
      .digest('base64'),
  }
}

/** The subprotocols that a client offers, in its order. */
export function offeredProtocols(headers: IncomingHttpHeaders): string[] {
  const offered = headers['sec-websocket-protocol'] ?? ''
  return offered
    .split(',')
    .map((protocol) => protocol.trim())
    .filter((protocol) => protocol !== '')
}

const TEXTS: Readonly<Record<number, string>> = {
  101: 'Switching Protocols',
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  426: 'Upgrade Required',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
}

/** The head of an answer, written by hand because no request handler is involved. */
export function responseHead(status: number, headers: Readonly<Record<string, string>>): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  return `HTTP/1.1 ${status} ${TEXTS[status] ?? 'Error'}\r\n${lines.join('')}\r\n`
}
