import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'

import { WebSocketServer, type WebSocket } from 'ws'

import { toJson } from '../../../core/json.ts'
import type { TransportName } from '../reconnect.ts'

/** One connection of a client, as the test plays the server's part of it. */
export interface ScriptedConnection {
  readonly transport: TransportName
  readonly query: URLSearchParams
  readonly headers: IncomingMessage['headers']
  /** What the client said, as text. */
  readonly said: readonly string[]
  /** Whether the client has gone. */
  readonly gone: boolean
  send(frame: object): void
  /** A comment over SSE, nothing over a WebSocket. */
  beat(): void
  close(code: number, reason?: string): void
  /** Breaks the connection without a word. */
  cut(): void
}

export interface Refusal {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
}

export interface ScriptedServer extends AsyncDisposable {
  readonly endpoint: string
  /** Every request that has arrived, `WS /path` or `GET /path`. */
  readonly requests: readonly string[]
  /** The next connection that is opened; waits for it. */
  next(): Promise<ScriptedConnection>
}

/** A real HTTP server with the paths of the event stream, that says what a test tells it to. */
export async function scriptedServer(
  refuse: (request: {
    transport: TransportName | 'ticket'
    headers: IncomingMessage['headers']
  }) => Refusal | undefined = () => undefined,
): Promise<ScriptedServer> {
  const waiting: ScriptedConnection[] = []
  const asked: PromiseWithResolvers<ScriptedConnection>[] = []
  const requests: string[] = []
  const opened = (connection: ScriptedConnection): void => {
    const reader = asked.shift()
    if (reader === undefined) waiting.push(connection)
    else reader.resolve(connection)
  }
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`)
    const transport = request.method === 'POST' ? 'ticket' : 'sse'
    const refusal = refuse({ transport, headers: request.headers })
    if (refusal !== undefined) {
      response.writeHead(refusal.status, { 'content-type': 'application/json', ...refusal.headers })
      response.end(refusal.body === undefined ? '' : toJson(refusal.body))
    } else if (transport === 'ticket') {
      response.writeHead(201, { 'content-type': 'application/json' }).end(toJson({ ticket: `t${requests.length}` }))
    } else {
      opened(sseConnection(request, response))
    }
  })
  const sockets = new WebSocketServer({ noServer: true, handleProtocols: () => 'mainstay.events.v1' })
  server.on('upgrade', (request, socket, head) => {
    requests.push(`WS ${request.url}`)
    const refusal = refuse({ transport: 'websocket', headers: request.headers })
    if (refusal === undefined) {
      sockets.handleUpgrade(request, socket, head, (webSocket) => opened(socketConnection(request, webSocket)))
    } else {
      socket.end(`HTTP/1.1 ${refusal.status} No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`)
    }
  })
  const listening = Promise.withResolvers<void>()
  server.listen(0, '127.0.0.1', listening.resolve)
  await listening.promise
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The server does not listen on a port.')
  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    requests,
    next: async () => {
      const connection = waiting.shift()
      if (connection !== undefined) return connection
      const reader = Promise.withResolvers<ScriptedConnection>()
      asked.push(reader)
      return await reader.promise
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets.clients) socket.terminate()
      server.closeAllConnections()
      const closed = Promise.withResolvers<void>()
      server.close(() => closed.resolve())
      await closed.promise
    },
  }
}

function queryOf(request: IncomingMessage): URLSearchParams {
  return new URL(request.url ?? '/', 'http://server').searchParams
}

function socketConnection(request: IncomingMessage, socket: WebSocket): ScriptedConnection {
  const said: string[] = []
  let gone = false
  socket.on('message', (data) => said.push((data as Buffer).toString('utf8')))
  socket.on('close', () => (gone = true))
  return {
    transport: 'websocket',
    query: queryOf(request),
    headers: request.headers,
    said,
    get gone() {
      return gone
    },
    send: (frame) => socket.send(toJson(frame)),
    beat: () => undefined,
    close: (code, reason) => socket.close(code, reason),
    cut: () => socket.terminate(),
  }
}

function sseConnection(request: IncomingMessage, response: ServerResponse): ScriptedConnection {
  let gone = false
  response.on('close', () => (gone = true))
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.write('retry: 3000\n\n')
  return {
    transport: 'sse',
    query: queryOf(request),
    headers: request.headers,
    said: [],
    get gone() {
      return gone
    },
    send: (frame) => void response.write(`event: x\ndata: ${toJson(frame)}\n\n`),
    beat: () => void response.write(': \n\n'),
    close: (code, reason = '') => {
      response.end(`event: close\ndata: ${toJson({ type: 'close', code, reason })}\n\n`)
    },
    cut: () => void response.destroy(),
  }
}
