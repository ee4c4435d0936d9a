import type { Link, LinkListener } from './link.ts'

/** What is used of a WebSocket, so that any implementation serves: the platform's, or `ws` on an old Node. */
export interface WebSocketLike {
  readonly readyState: number
  send(text: string): void
  close(code?: number, reason?: string): void
  addEventListener(type: 'message', listener: (event: { readonly data: unknown }) => void): void
  addEventListener(type: 'close', listener: (event: { readonly code: number; readonly reason: string }) => void): void
  addEventListener(type: 'error', listener: () => void): void
}

export type WebSocketConstructor = new (url: string, protocols: string[]) => WebSocketLike

/** The native frames. Source: event-stream.md R23. */
const SUBPROTOCOL = 'mainstay.events.v1'

const OPEN = 1

/** Connects with a WebSocket. What is wrong with the URL is told as an end, like everything else. */
export function openWebSocket(url: string, WebSocket: WebSocketConstructor, listener: LinkListener): Link {
  let over = false
  const socket = new WebSocket(url, [SUBPROTOCOL])
  socket.addEventListener('message', ({ data }) => {
    if (over) return
    listener.alive()
    if (typeof data === 'string') listener.frame(data)
  })
  socket.addEventListener('close', ({ code, reason }) => {
    if (over) return
    over = true
    listener.ended({ kind: 'closed', code, reason })
  })
  // The platform tells no page what the error was; a close event follows it.
  socket.addEventListener('error', () => undefined)
  return {
    send: (text) => {
      if (over || socket.readyState !== OPEN) return false
      socket.send(text)
      return true
    },
    close: () => {
      if (over) return
      over = true
      socket.close(1000)
    },
  }
}
