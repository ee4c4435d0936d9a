import { WebSocket } from 'ws'

import { isJsonObject, parseJson, toJson, type JsonObject } from '../../core/json.ts'
import { STREAM_PATH } from '../stream-service.ts'
import { waitFor } from './wait-for.ts'

export interface StreamClientOptions {
  /** The query of the URL, without the question mark. */
  readonly query?: string
  readonly path?: string
  readonly protocols?: readonly string[]
  readonly headers?: Readonly<Record<string, string>>
  /** Whether compression is offered. */
  readonly compression?: boolean
  /** Whether pings are answered. */
  readonly autoPong?: boolean
}

/** A frame that is an event. */
export type EventFrame = JsonObject & {
  readonly n: number
  readonly seq: number
  readonly cursor: string
  readonly event_type: string
}

/** A WebSocket client, of a library that is not ours, that remembers all it was sent. */
export class StreamClient {
  readonly frames: JsonObject[] = []
  readonly socket: WebSocket
  closed: { readonly code: number; readonly reason: string } | undefined
  /** The HTTP answer of a request that was refused. */
  refusal: { readonly status: number; readonly body: string } | undefined

  constructor(
    url: string,
    { query = '', path = STREAM_PATH, protocols = [], headers = {}, ...rest }: StreamClientOptions,
  ) {
    const { compression = false, autoPong = true } = rest
    this.socket = new WebSocket(
      `${url.replace(/^http/, 'ws')}${path}${query === '' ? '' : `?${query}`}`,
      [...protocols],
      {
        headers,
        perMessageDeflate: compression,
        autoPong,
      },
    )
    this.socket.on('message', (data: Buffer) => {
      const frame = parseJson(data.toString('utf8'), 'a frame')
      if (isJsonObject(frame)) this.frames.push(frame)
    })
    this.socket.on('close', (code, reason) => (this.closed = { code, reason: reason.toString('utf8') }))
    this.socket.on('unexpected-response', (_request, response) => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (text: string) => (body += text))
      response.on('end', () => {
        this.refusal = { status: response.statusCode ?? 0, body }
        this.socket.terminate()
      })
    })
    // A connection that is cut or refused reports it here as well.
    this.socket.on('error', () => {})
  }

  /** Frames that are events. */
  get events(): EventFrame[] {
    return this.frames.filter((frame): frame is EventFrame => 'event_type' in frame)
  }

  get seqs(): number[] {
    return this.events.map(({ seq }) => seq)
  }

  /** Frames of one kind beside events. */
  control(type: string): JsonObject[] {
    return this.frames.filter((frame) => frame['type'] === type)
  }

  async hello(): Promise<JsonObject> {
    await this.until('hello', () => this.control('hello').length > 0)
    return this.control('hello')[0]!
  }

  async until(what: string, condition: (client: this) => boolean): Promise<void> {
    await waitFor(what, () => condition(this) || this.closed !== undefined || this.refusal !== undefined)
    if (!condition(this)) throw new Error(`${what}: closed with ${toJson(this.closed ?? this.refusal)} before`)
  }

  async untilClosed(): Promise<{ readonly code: number; readonly reason: string }> {
    await waitFor('the end of the connection', () => this.closed !== undefined)
    return this.closed!
  }

  async untilRefused(): Promise<{ readonly status: number; readonly body: string }> {
    await waitFor('the refusal', () => this.refusal !== undefined)
    return this.refusal!
  }

  /** Says something to the server. */
  say(message: unknown): void {
    this.socket.send(typeof message === 'string' ? message : toJson(message))
  }

  /** Ends the connection as a network does that fails. */
  cut(): void {
    this.socket.terminate()
  }
}
