import type { Socket } from 'node:net'

import type { Clock } from '../core/clock.ts'
import type { HttpApp } from './app.ts'

/**
 * Closes connections on which nothing was ever sent: after `idleTimeoutMs`, or when the server stops. Node's idle time
 * begins with the end of a request, and at a stop it waits for connections that nobody has begun to secure.
 *
 * @param idleTimeoutMs 0 keeps them for ever
 */
export function closeSilentConnections(
  app: HttpApp,
  { clock, idleTimeoutMs }: { clock: Clock; idleTimeoutMs: number },
): void {
  const young = new Set<Socket>()
  let stopping = false
  const closeIfSilent = (socket: Socket): void => {
    young.delete(socket)
    if (isSilent(socket)) socket.destroy()
  }
  const watch = (socket: Socket): void => {
    if (stopping) return closeIfSilent(socket)
    young.add(socket)
    const timer = idleTimeoutMs === 0 ? undefined : clock.after(idleTimeoutMs, () => closeIfSilent(socket))
    socket.once('close', () => {
      timer?.[Symbol.dispose]()
      young.delete(socket)
    })
  }
  // With TLS there are two: the connection itself, and what is said in it once it is secured.
  app.server.on('connection', watch).on('secureConnection', watch)
  app.addHook('preClose', (done) => {
    stopping = true
    for (const socket of young) closeIfSilent(socket)
    done()
  })
}

/** Whether the client has sent nothing yet. */
export function isSilent(socket: Socket): boolean {
  return socket.bytesRead === 0
}
