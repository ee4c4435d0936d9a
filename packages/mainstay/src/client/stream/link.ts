import type { LinkEnd } from './reconnect.ts'

/** What a link tells of itself. After `ended` nothing more. */
export interface LinkListener {
  /** A frame has come, as text. */
  frame(text: string): void
  /** The server has said something, whatever it was. */
  alive(): void
  ended(end: LinkEnd): void
}

/** One connection to the stream, over whatever transport. */
export interface Link {
  /** Says something to the server. @returns false where the transport has no way to do that */
  send(text: string): boolean
  /** Ends it, without waiting for the other side; the listener hears nothing more. Safe to repeat. */
  close(): void
}
