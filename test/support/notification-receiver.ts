import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface TakenNotification {
  readonly idempotencyKey: string
  readonly token: string | undefined
  readonly notification: {
    readonly type: string
    readonly hostname: string
    readonly generated_time: string
    readonly payload: Readonly<Record<string, string>>
  }
}

/** A small API that takes notifications, knows a repetition by its key, and can be told to fail. */
export class NotificationReceiver implements AsyncDisposable {
  /** What was taken, in order, each key once. */
  readonly taken: TakenNotification[] = []
  /** How often something was posted, repetitions and refusals included. */
  attempts = 0
  /** The status of the next answers. */
  status = 202
  readonly #server: Server

  private constructor(server: Server) {
    this.#server = server
  }

  /** @param port a port that is known to be free; any by default */
  static async start({ port = 0 }: { readonly port?: number } = {}): Promise<NotificationReceiver> {
    const server = createServer()
    const receiver = new NotificationReceiver(server)
    server.on('request', (request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        const header = (name: string): string | undefined => request.headers[name]?.toString()
        const key = header('idempotency-key') ?? ''
        const { notification } = JSON.parse(Buffer.concat(chunks).toString()) as Pick<TakenNotification, 'notification'>
        receiver.attempts += 1
        const isNew = !receiver.taken.some(({ idempotencyKey }) => idempotencyKey === key)
        if (receiver.status === 202 && isNew) {
          receiver.taken.push({ idempotencyKey: key, token: header('x-auth-token'), notification })
        }
        response.writeHead(receiver.status, { 'content-type': 'application/json' }).end('{}')
      })
    })
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    return receiver
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.port}/v1`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close()
    this.#server.closeAllConnections()
    await once(this.#server, 'close')
  }
}
