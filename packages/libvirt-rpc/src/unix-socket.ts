import { createConnection } from 'node:net'
import type { Socket } from 'node:net'
import { LibvirtConnectError } from './errors.ts'
import type { Timers } from './timers.ts'

const remedies: Readonly<Record<string, string>> = {
  ENOENT: 'no such socket. Is libvirtd (or virtqemud, whose socket is virtqemud-sock) running?',
  ECONNREFUSED: 'the socket exists but nothing listens on it. Start libvirtd.',
  ECONNRESET: 'libvirtd ended while the connection was made. Try again, or look into its log.',
  EACCES: 'permission denied. Add this user to the group "libvirt", or use the -ro socket.',
}

/** Connects to a Unix socket. Rejects with `LibvirtConnectError` or with the reason of `signal`. */
export async function connectUnixSocket(
  socketPath: string,
  options: { readonly timeoutMs: number; readonly timers: Timers; readonly signal?: AbortSignal | undefined },
): Promise<Socket> {
  const { timeoutMs, timers, signal } = options
  signal?.throwIfAborted()
  const socket = createConnection({ path: socketPath })
  const outcome = Promise.withResolvers<Socket>()
  const onConnect = (): void => outcome.resolve(socket)
  const onError = (cause: NodeJS.ErrnoException): void =>
    outcome.reject(new LibvirtConnectError(socketPath, remedies[cause.code ?? ''] ?? cause.message, { cause }))
  const onAbort = (): void => outcome.reject(signal?.reason)
  const cancelTimer = timers.after(timeoutMs, () =>
    outcome.reject(new LibvirtConnectError(socketPath, `no connection within ${timeoutMs} ms.`)),
  )
  socket.once('connect', onConnect).once('error', onError)
  signal?.addEventListener('abort', onAbort, { once: true })
  try {
    return await outcome.promise
  } catch (error) {
    socket.destroy()
    throw error
  } finally {
    cancelTimer()
    signal?.removeEventListener('abort', onAbort)
    socket.off('connect', onConnect).off('error', onError)
  }
}
