import { createServer } from 'node:net'
import { join } from 'node:path'
import { TestkitError, systemCode } from '../errors.ts'
import { claimLock, homeDir, releaseLock } from '../home.ts'
import type { ReaperClient } from '../reaper/reaper-client.ts'

/** A port that no other user of the kit on this machine gets until it is released. */
export interface PortLease {
  readonly port: number
  /** The lock file. */
  readonly path: string
  release(): void
}

/**
 * Leases a port for a server that cannot adopt a socket.
 *
 * The range 20000–32767 (`MAINSTAY_TESTKIT_PORTS=a-b`) lies below Linux' ephemeral range, so no outgoing connection
 * takes the port. Each candidate is also bound once: programs that know nothing of leases are seen as well.
 *
 * Source: testkit.md A4. Throws TK_PORT_TAKEN when the whole range is in use, and the system's error for an address that
 * this machine does not have.
 */
export async function leasePort(options: { host?: string; reaper?: ReaperClient } = {}): Promise<PortLease> {
  const { first, last } = portRange()
  const size = last - first + 1
  const offset = Math.floor(Math.random() * size)
  const folder = homeDir('ports')
  for (let step = 0; step < size; step++) {
    const port = first + ((offset + step) % size)
    const path = join(folder, `${port}.lock`)
    if (!claimLock(path)) continue
    let isFree = false
    try {
      isFree = await isBindable(port, options.host ?? '127.0.0.1')
    } finally {
      if (!isFree) releaseLock(path)
    }
    if (isFree) return lease(port, path, options.reaper)
  }
  throw new TestkitError(
    'TK_PORT_TAKEN',
    `no free port between ${first} and ${last}. Widen the range with MAINSTAY_TESTKIT_PORTS=a-b or end old test runs.`,
  )
}

/** A port that is free now and may be taken by anybody a moment later: prefer {@link leasePort} or socket inheritance. */
export async function unusedPort(host = '127.0.0.1'): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, host, resolve)
  })
  const address = server.address()
  await new Promise<void>((resolve) => {
    server.close(() => resolve())
  })
  if (address === null || typeof address === 'string')
    throw new TestkitError('TK_PORT_TAKEN', 'the system gave no port')
  return address.port
}

/** Whether a port can be bound at this moment. */
export async function isBindable(port: number, host: string): Promise<boolean> {
  const server = createServer()
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen({ port, host, exclusive: true }, resolve)
    })
  } catch (error) {
    if (['EADDRINUSE', 'EACCES'].includes(systemCode(error) ?? '')) return false
    throw error
  }
  await new Promise<void>((resolve) => {
    server.close(() => resolve())
  })
  return true
}

function lease(port: number, path: string, reaper: ReaperClient | undefined): PortLease {
  reaper?.tell({ event: 'lease', path })
  let held = true
  return {
    port,
    path,
    release() {
      if (!held) return
      held = false
      releaseLock(path)
      reaper?.tell({ event: 'forget-lease', path })
    },
  }
}

function portRange(): { first: number; last: number } {
  const text = process.env['MAINSTAY_TESTKIT_PORTS'] ?? '20000-32767'
  const match = /^(\d+)-(\d+)$/.exec(text)
  const first = Number(match?.[1])
  const last = Number(match?.[2])
  if (match === null || first < 1 || first > last || last > 65_535) {
    throw new TestkitError('TK_BAD_SPEC', `MAINSTAY_TESTKIT_PORTS=${text} is not a range such as 20000-32767`)
  }
  return { first, last }
}
