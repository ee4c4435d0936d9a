import { linkSync, rmSync } from 'node:fs'
import { createServer, Server } from 'node:net'
import { TestkitError, reasonOf } from '../errors.ts'

/**
 * A listening socket that this process opens only to hand it over.
 *
 *   open (parent listens, nobody accepts) ──spawn, then close()──▶ child's alone
 *
 * Invariant: from `openListeningSocket` until the last child ends, the port is never free. A client that connects
 * before the child listens waits in the kernel's queue and is answered by the child. Should the parent's loop accept
 * one nevertheless, it is closed and counted in `lostConnections`, which tests require to be 0.
 *
 * Source: testkit.md A4.
 */
export interface ListeningSocket {
  readonly port: number
  readonly fd: number
  readonly path: string | undefined
  readonly lostConnections: number
  /** Closes the parent's copy; call it in the same tick as `spawn`. */
  close(): void
}

export async function openListeningSocket(
  where: { host: '127.0.0.1' | '::1'; port: number } | { path: string },
): Promise<ListeningSocket> {
  const server = createServer()
  let lost = 0
  server.on('connection', (socket) => {
    lost += 1
    socket.destroy()
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen('path' in where ? { path: temporaryName(where.path) } : { ...where, exclusive: true }, resolve)
  })
  if ('path' in where) {
    // Closing a UNIX socket removes its file. A second name keeps it reachable for the child's clients.
    rmSync(where.path, { force: true })
    linkSync(temporaryName(where.path), where.path)
  }
  const address = server.address()
  const fd = descriptorOf(server)
  if (fd === undefined) {
    server.close()
    throw new TestkitError('TK_BAD_SPEC', 'this runtime does not tell the descriptor of a socket: use handover "none"')
  }
  return {
    fd,
    port: typeof address === 'object' && address !== null ? address.port : 0,
    path: 'path' in where ? where.path : undefined,
    get lostConnections() {
      return lost
    },
    close() {
      server.close()
    },
  }
}

/**
 * What may stand in a child's `stdio` list.
 *
 * A `net.Server` there is accepted by Node only after the child runs, and then throws: an orphan. It is refused before.
 */
export function checkStdioEntry(entry: unknown): number {
  if (entry instanceof Server) {
    throw new TestkitError(
      'TK_BAD_SPEC',
      'a net.Server cannot be handed to a child: pass the number of its descriptor (ListeningSocket.fd)',
    )
  }
  if (typeof entry !== 'number' || !Number.isInteger(entry) || entry < 0) {
    throw new TestkitError('TK_BAD_SPEC', `a descriptor must be an integer >= 0, not ${reasonOf(entry)}`)
  }
  return entry
}

function temporaryName(path: string): string {
  return `${path}~`
}

function descriptorOf(server: Server): number | undefined {
  const handle: unknown = Reflect.get(server, '_handle')
  const fd: unknown = isHandle(handle) ? handle.fd : undefined
  return typeof fd === 'number' && Number.isInteger(fd) && fd >= 0 ? fd : undefined
}

function isHandle(value: unknown): value is { readonly fd: unknown } {
  return typeof value === 'object' && value !== null && 'fd' in value
}
