import { connect, type Socket } from 'node:net'
import { once } from 'node:events'

export interface RawRequest {
  readonly method: string
  readonly target: string
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: string
}

export interface RawAnswer {
  readonly status: number
  readonly text: string
}

/** Sends requests byte by byte as they are meant over one kept connection, and opens another when it is closed. */
export class KeptConnection {
  readonly #port: number
  #socket: Socket
  #received = Buffer.alloc(0)
  #closed = false
  #changed = Promise.withResolvers<void>()

  private constructor(port: number, socket: Socket) {
    this.#port = port
    this.#socket = socket
    this.#listen()
  }

  static async open(port: number): Promise<KeptConnection> {
    return new KeptConnection(port, await connected(port))
  }

  async send({ method, target, headers, body }: RawRequest): Promise<RawAnswer> {
    if (this.#closed) await this.#reopen()
    const bytes = Buffer.from(body)
    const lines = [
      `${method} ${target.replaceAll(/[^\x21-\x7e]/g, '%20')} HTTP/1.1`,
      'Host: 127.0.0.1',
      `Content-Length: ${bytes.length}`,
      ...headers.map(([name, value]) => `${name}: ${value}`),
    ]
    this.#socket.write(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), bytes]))
    return await this.#answer(method)
  }

  close(): void {
    this.#socket.destroy()
  }

  async #answer(method: string): Promise<RawAnswer> {
    for (;;) {
      const end = this.#received.indexOf('\r\n\r\n')
      if (end !== -1) {
        const head = this.#received.subarray(0, end).toString('latin1')
        const length = method === 'HEAD' ? 0 : Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? '0')
        if (this.#received.length >= end + 4 + length) {
          const text = this.#received.toString('utf8', end + 4, end + 4 + length)
          this.#received = this.#received.subarray(end + 4 + length)
          if (/\r\nconnection: close/i.test(head)) {
            this.#closed = true
            this.#socket.destroy()
          }
          return { status: Number(head.slice('HTTP/1.1 '.length, 'HTTP/1.1 200'.length)), text }
        }
      }
      if (this.#closed)
        throw new Error(`The connection ended inside of an answer: ${this.#received.toString('latin1')}`)
      this.#changed = Promise.withResolvers<void>()
      await this.#changed.promise
    }
  }

  #listen(): void {
    const end = (): void => {
      this.#closed = true
      this.#changed.resolve()
    }
    this.#socket.on('close', end).on('error', end)
    this.#socket.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk])
      this.#changed.resolve()
    })
  }

  async #reopen(): Promise<void> {
    this.#socket = await connected(this.#port)
    this.#received = Buffer.alloc(0)
    this.#closed = false
    this.#listen()
  }
}

async function connected(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  return socket
}
