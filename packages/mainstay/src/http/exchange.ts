import type { IncomingHttpHeaders } from 'node:http'

import type { FastifyReply, FastifyRequest } from 'fastify'

import { goneSignal } from './gone-signal.ts'
import type { PlainResponse } from './plain-response.ts'
import { announcedLength, readBody } from './read-body.ts'

/** One request as code sees it that does its own routing. */
export interface Exchange {
  /** Fresh for each request. */
  readonly requestId: string
  readonly method: string
  /** The request target as the client sent it: path and query, still encoded. */
  readonly target: string
  readonly headers: IncomingHttpHeaders
  readonly scheme: 'http' | 'https'
  /** Where the client connected to, for requests without a `Host` header. */
  readonly localAddress: string
  readonly remoteAddress: string | null
  /** The announced length of the body, or undefined. */
  readonly contentLength: number | undefined
  /** Aborted when the client goes away. */
  readonly signal: AbortSignal
  /** @throws BodyTooLargeError, RequestAbortedError */
  readBody(maxBytes: number): Promise<Buffer>
}

export function exchangeOf(request: FastifyRequest, reply: FastifyReply): Exchange {
  const { raw } = request
  const { socket } = raw
  return {
    requestId: request.id,
    method: raw.method ?? 'GET',
    target: request.originalUrl,
    headers: raw.headers,
    scheme: 'encrypted' in socket && socket.encrypted === true ? 'https' : 'http',
    localAddress: `${socket.localAddress ?? '127.0.0.1'}:${socket.localPort ?? 0}`,
    remoteAddress: socket.remoteAddress ?? null,
    contentLength: announcedLength(raw),
    signal: goneSignal(reply),
    readBody: async (maxBytes) => await readBody(raw, maxBytes),
  }
}

/** Writes an answer as it is: header names keep their case, and a 204 keeps the headers that clients know it with. */
export function sendPlain(exchange: Exchange, reply: FastifyReply, response: PlainResponse): void {
  reply.hijack()
  const { raw } = reply
  if (raw.destroyed) return
  raw.statusCode = response.status
  for (const [name, value] of Object.entries(response.headers)) raw.setHeader(name, value)
  raw.setHeader('Content-Length', Buffer.byteLength(response.body))
  // As text, because a text goes to the socket together with the headers in front of it.
  raw.end(exchange.method === 'HEAD' ? undefined : response.body)
}
