import { createServer, type IncomingHttpHeaders } from 'node:http'

import { hasSignature } from '../signature.ts'

export interface Delivery {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** What a receiver does with a delivery: a status, an answer with headers, or it holds it back until told. */
export type Reply =
  | number
  | { readonly status: number; readonly headers: Readonly<Record<string, string>> }
  | Promise<number>

export interface Receiver extends AsyncDisposable {
  readonly url: string
  /** Everything that was delivered, in order, also what was refused. */
  readonly deliveries: readonly Delivery[]
  /** Ids of what was delivered, in order. */
  readonly ids: readonly string[]
  /** What it does from now on. */
  reply(with_: (delivery: Delivery, nth: number) => Reply): void
}

/** A receiver of webhooks on a loopback port that says 204 until told otherwise. */
export async function receiver(): Promise<Receiver> {
  const deliveries: Delivery[] = []
  let react: (delivery: Delivery, nth: number) => Reply = () => 204
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { url: path = '', headers } = request
      const delivery = { path, headers, body: Buffer.concat(chunks).toString('utf8') }
      deliveries.push(delivery)
      const reply = react(delivery, deliveries.length)
      if (typeof reply === 'number') response.writeHead(reply).end()
      else if ('status' in reply) response.writeHead(reply.status, reply.headers).end()
      else void reply.then((status) => response.writeHead(status).end())
    })
  })
  const listening = Promise.withResolvers<void>()
  server.listen(0, '127.0.0.1', listening.resolve)
  await listening.promise
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The receiver does not listen on a port.')
  return {
    url: `http://127.0.0.1:${address.port}/hook`,
    deliveries,
    get ids() {
      return deliveries.map(({ headers }) => String(headers['webhook-id']))
    },
    reply: (with_) => (react = with_),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      const closed = Promise.withResolvers<void>()
      server.close(() => closed.resolve())
      await closed.promise
    },
  }
}

/** Whether a delivery was signed with a secret, as a receiver checks it. */
export function isSigned({ headers, body }: Delivery, secret: string): boolean {
  const id = String(headers['webhook-id'])
  const timestampS = Number(headers['webhook-timestamp'])
  return hasSignature(String(headers['webhook-signature']), { id, timestampS, body }, secret)
}
