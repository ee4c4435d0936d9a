import { readFileSync } from 'node:fs'
import { commandOf, listPids, openDescriptors, readProcess } from '../process/process-table.ts'

/** A process that listens on a port. */
export interface PortOwner {
  readonly pid: number
  readonly groupId: number
  readonly command: string
}

const listening = '0A'

/** Who listens on a TCP port of this machine, from the kernel's socket tables (Linux; elsewhere nobody is known). */
export function ownersOfPort(port: number): PortOwner[] {
  const sockets = new Set(
    listeningSockets()
      .filter((socket) => socket.port === port)
      .map((socket) => socket.inode),
  )
  return sockets.size === 0 ? [] : holdersOf(sockets)
}

/** The TCP ports on which any of these processes listens. */
export function listeningPortsOf(pids: readonly number[]): number[] {
  const open = new Set(pids.flatMap((pid) => openDescriptors(pid).map(({ target }) => target)))
  return listeningSockets()
    .filter(({ inode }) => open.has(`socket:[${inode}]`))
    .map(({ port }) => port)
}

/** "pid 812 (node server.mjs)", for messages. */
export function describeOwners(owners: readonly PortOwner[]): string {
  return owners.length === 0
    ? 'a process that we may not see'
    : owners.map((o) => `pid ${o.pid} (${o.command})`).join(', ')
}

function holdersOf(inodes: ReadonlySet<string>): PortOwner[] {
  const targets = new Set([...inodes].map((inode) => `socket:[${inode}]`))
  return listPids()
    .filter((pid) => openDescriptors(pid).some(({ target }) => targets.has(target)))
    .map((pid) => ({ pid, groupId: readProcess(pid)?.groupId ?? 0, command: commandOf(pid) }))
}

function listeningSockets(): { port: number; inode: string }[] {
  if (process.platform !== 'linux') return []
  return ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((path) =>
    readFileSync(path, 'utf8')
      .split('\n')
      .slice(1)
      .map((line) => line.trim().split(/\s+/))
      .filter((fields) => fields[3] === listening)
      .map((fields) => ({ port: Number.parseInt(fields[1]?.split(':')[1] ?? '', 16), inode: fields[9] ?? '' })),
  )
}
