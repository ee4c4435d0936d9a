import { MainstayError } from '../../core/errors.ts'

/** A client's connection, as the manager needs it. Source: event-stream.md 9. */
export interface Socket {
  /** Completes the handshake; nothing may be sent before. */
  accept(): Promise<void>
  /** @throws SocketDisconnected, or rejects with it, when the client is gone */
  sendText(text: string): Promise<void> | void
  close(code: number, reason: string): void
  /** Bytes that were sent and have not left yet. */
  readonly bufferedAmount: number
}

/** A client went away while something was sent to it. */
export class SocketDisconnected extends MainstayError {
  readonly code = 'MS_SOCKET_DISCONNECTED'
  readonly status = 499
  readonly retryable = false

  constructor(options?: { cause?: unknown }) {
    super('The client has closed its connection to the event stream. It may connect again.', options)
  }
}
