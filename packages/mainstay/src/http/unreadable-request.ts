import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'

import { errorCode } from '../core/errors.ts'
import { toJson } from '../core/json.ts'
import { isSilent } from './silent-connections.ts'

/**
 * Answers what could not be read as a request, and ends its connection. A client that has sent nothing has asked for
 * nothing: Node takes its silence for a request that is late, and the idle time-out deals with it.
 */
export function answerUnreadableRequest(error: Error, socket: Socket): void {
  const code = errorCode(error)
  if (code === 'ECONNRESET' || socket.destroyed) return
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT' && isSilent(socket)) return
  if (socket.writable) socket.write(describe(code))
  socket.destroy(error)
}

function describe(code: string | undefined): string {
  const [status, message] = statusOf(code)
  const label = STATUS_CODES[status] ?? ''
  const body = toJson({ error: label, message, statusCode: status })
  return `HTTP/1.1 ${status} ${label}\r\nContent-Length: ${body.length}\r\nContent-Type: application/json\r\n\r\n${body}`
}

function statusOf(code: string | undefined): [status: number, message: string] {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return [408, 'Client Timeout']
  if (code === 'HPE_HEADER_OVERFLOW') return [431, 'Exceeded maximum allowed HTTP header size']
  return [400, 'Client Error']
}
