import type { IncomingMessage, Server } from 'node:http'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'

import { MainstayError } from '../../core/errors.ts'
import { toJson } from '../../core/json.ts'
import type { Logger } from '../../core/logging.ts'
import { parseTarget } from '../../http/target.ts'
import { checkUpgrade, responseHead, type Refusal } from './handshake.ts'

/** A request that asks for a WebSocket, checked as far as the protocol goes. */
export interface UpgradeRequest {
  readonly request: IncomingMessage
  readonly query: URLSearchParams
  readonly socket: Socket
  /** What the client has sent already after its request. */
  readonly head: Buffer
  /** Completes the handshake. @param headers more of the answer, such as the subprotocol */
  accept(headers: Readonly<Record<string, string>>): void
}

/** Serves a path. What it throws before `accept` is the answer to the request. */
export type UpgradeHandler = (upgrade: UpgradeRequest) => Promise<void>

/** The WebSocket paths of a server. Requests for other paths, and what is no proper request, are answered here. */
export class UpgradeRoutes {
  readonly #handlers = new Map<string, UpgradeHandler>()
  readonly #logger: Logger

  constructor(logger: Logger) {
    this.#logger = logger
  }

  add(path: string, handler: UpgradeHandler): void {
    this.#handlers.set(path, handler)
  }

  /** Begins to serve. @returns stops it; open connections stay */
  attach(server: Pick<Server, 'on' | 'off'>): () => void {
    const listener = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
      // What the HTTP server hands over is always one; anything else could not be driven.
      if (socket instanceof Socket) void this.#serve(request, socket, head)
      else socket.destroy()
    }
    server.on('upgrade', listener)
    return () => void server.off('upgrade', listener)
  }

  async #serve(request: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    const ignore = (): void => {}
    // A client may go away while it is decided whether to serve it.
    socket.on('error', ignore)
    const { path, query } = parseTarget(request.url ?? '/')
    const checked = checkUpgrade(request.method, request.headers)
    const handler = this.#handlers.get(path)
    if (handler === undefined) return refuse(socket, { status: 404, message: `There is no stream at ${path}.` })
    if ('status' in checked) return refuse(socket, checked)
    const accept = (headers: Readonly<Record<string, string>>): void => {
      socket.off('error', ignore)
      const fixed = { Upgrade: 'websocket', Connection: 'Upgrade', 'Sec-WebSocket-Accept': checked.accept }
      socket.write(responseHead(101, { ...fixed, ...headers }))
    }
    try {
      await handler({ request, query, socket, head, accept })
    } catch (error) {
      refuse(socket, this.#refusal(error))
    }
  }

  #refusal(error: unknown): Refusal {
    if (error instanceof MainstayError) {
      const headers = error.status === 429 || error.status === 503 ? { 'Retry-After': '1' } : {}
      return { status: error.status, message: error.message, code: error.code, headers }
    }
    this.#logger.error({ err: error }, 'A request for a stream failed')
    return { status: 500, message: 'Something unexpected happened.' }
  }
}

function refuse(socket: Socket, { status, message, code = 'MS_BAD_REQUEST', headers = {} }: Refusal): void {
  if (socket.destroyed) return
  const body = Buffer.from(toJson({ error: { code, message, retryable: status === 429 || status === 503 } }))
  const described = { 'Content-Type': 'application/json; charset=utf-8', 'Content-Length': String(body.length) }
  socket.write(responseHead(status, { Connection: 'close', ...described, ...headers }))
  socket.end(body, () => socket.destroy())
}
