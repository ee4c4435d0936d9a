import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'

import { parseJson, toJson, type Json } from '../../core/json.ts'

export interface SeenRequest {
  readonly method: string
  /** With the query. */
  readonly path: string
  readonly headers: IncomingMessage['headers']
  readonly body: Json
}

export interface ScriptedAnswer {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  /** Sent as JSON unless it is a text. */
  readonly body?: unknown
}

/** What a server does with one request: answers, breaks the connection, or never says a word. */
export type Reaction = ScriptedAnswer | 'hang-up' | 'silence'

export interface AnsweringServer extends AsyncDisposable {
  readonly endpoint: string
  readonly requests: readonly SeenRequest[]
}

/** A real HTTP server on a loopback port that reacts as a test says, and when it says. */
export async function answeringServer(
  react: (request: SeenRequest, nth: number) => Reaction | Promise<Reaction>,
): Promise<AnsweringServer> {
  const requests: SeenRequest[] = []
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const text = Buffer.concat(chunks).toString('utf8')
    const { method = '', url = '', headers } = request
    const seen = { method, path: url, headers, body: text === '' ? null : parseJson(text, 'the request') }
    requests.push(seen)
    const reaction = await react(seen, requests.length)
    if (reaction === 'silence') return
    if (reaction === 'hang-up') {
      request.socket.destroy()
      return
    }
    const { status = 200, body, headers: extra = {} } = reaction
    response.writeHead(status, { 'content-type': 'application/json', ...extra })
    response.end(body === undefined ? '' : typeof body === 'string' ? body : toJson(body))
  }
  const server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => response.destroy(error instanceof Error ? error : undefined))
  })
  const listening = Promise.withResolvers<void>()
  server.listen(0, '127.0.0.1', listening.resolve)
  await listening.promise
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The server does not listen on a port.')
  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    requests,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      const closed = Promise.withResolvers<void>()
      server.close(() => closed.resolve())
      await closed.promise
    },
  }
}
