import type { ListenOptions } from 'node:net'

import type { Clock } from '../core/clock.ts'
import { withDeadline } from '../core/deadline.ts'
import { errorCode, errorMessage, InvalidInputError, TimeoutError } from '../core/errors.ts'
import { removeAbandonedSocket } from './abandoned-socket.ts'
import type { HttpApp } from './app.ts'

export type ListenAddress =
  | { readonly host: string; readonly port: number }
  | { readonly path: string }
  /** A socket that whoever started this process has opened and listens on. */
  | { readonly fd: number }

/** Connections that wait to be accepted. Source: ha-api.md 20.1. */
const BACKLOG = 128

/** The first socket that a service manager hands over (`sd_listen_fds(3)`). */
const FIRST_INHERITED_FD = 3

/** The listening socket that this process was started with, or undefined. */
export function inheritedSocket(
  env: Readonly<Record<string, string | undefined>>,
  pid: number,
): { fd: number } | undefined {
  const count = Number(env['LISTEN_FDS'] ?? '0')
  return count >= 1 && env['LISTEN_PID'] === String(pid) ? { fd: FIRST_INHERITED_FD } : undefined
}

/**
 * Starts to serve. The file of a Unix socket on which nobody listens any more is no obstacle.
 *
 * @returns the address as a URL, or as `unix:<path>`
 * @throws InvalidInputError when the address is taken or may not be used
 */
export async function listenOn(app: HttpApp, address: ListenAddress): Promise<string> {
  await app.ready()
  try {
    await listenOnce(app, address).catch(async (error: unknown) => {
      if (!('path' in address) || errorCode(error) !== 'EADDRINUSE') throw error
      if (!(await removeAbandonedSocket(address.path))) throw error
      await listenOnce(app, address)
    })
  } catch (error) {
    throw new InvalidInputError(`Cannot listen on ${describe(address)}: ${reasonOf(error)}.`, { cause: error })
  }
  return urlOf(app)
}

async function listenOnce({ server }: HttpApp, address: ListenAddress): Promise<void> {
  const options: ListenOptions & { fd?: number } = { ...address, backlog: BACKLOG }
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

/**
 * Stops to serve: no new connections, idle ones are closed, running requests may end. What has not ended after
 * `timeoutMs` is cut off; 0 waits for ever.
 *
 * Source: ha-api.md 20.2.
 */
export async function stopServing(
  app: HttpApp,
  { clock, timeoutMs }: { clock: Clock; timeoutMs: number },
): Promise<void> {
  // A connection whose request ends from now on is not kept for another: its client may hold it open for very long.
  app.server.keepAliveTimeout = 1
  const closing = Promise.resolve(app.close())
  if (timeoutMs === 0) {
    await closing
    return
  }
  try {
    await withDeadline({ clock, what: 'Letting running requests end', timeoutMs }, async () => await closing)
  } catch (error) {
    if (!(error instanceof TimeoutError)) throw error
    app.server.closeAllConnections()
    await closing
  }
}

/** Why it does not work and what helps; the system's own text would repeat the address. */
function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'EADDRINUSE') return 'something else listens there already. Stop it or choose another address'
  if (code === 'EACCES') return 'this user may not. Choose a port above 1023 or another path'
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND')
    return 'this machine has no such address. Choose one that it has'
  return `${errorMessage(error)}. Choose another address`
}

function urlOf(app: HttpApp): string {
  const bound = app.server.address()
  if (bound === null || typeof bound === 'string') return `unix:${bound ?? ''}`
  const host = bound.family === 'IPv6' ? `[${bound.address}]` : bound.address
  return `${'setSecureContext' in app.server ? 'https' : 'http'}://${host}:${bound.port}`
}

function describe(address: ListenAddress): string {
  if ('fd' in address) return `the inherited socket ${address.fd}`
  return 'path' in address ? address.path : `${address.host}:${address.port}`
}
