import type { Socket } from '../socket.ts'

/** A client that takes what it is sent, unless it is told to fail or to stop. */
export class FakeSocket implements Socket {
  accepted = 0
  bufferedAmount = 0
  readonly texts: string[] = []
  readonly closed: { code: number; reason: string }[] = []
  /** Thrown by the next handshakes and sends. */
  failure: unknown
  /** Sends never end. */
  stuck = false

  async accept(): Promise<void> {
    if (this.failure !== undefined) throw this.failure
    this.accepted += 1
  }

  async sendText(text: string): Promise<void> {
    this.texts.push(text)
    if (this.failure !== undefined) throw this.failure
    if (this.stuck) await new Promise<never>(() => {})
  }

  close(code: number, reason: string): void {
    this.closed.push({ code, reason })
  }
}
