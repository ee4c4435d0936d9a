import { existsSync, readFileSync } from 'node:fs'
import { commandOf, groupMembers, listPids, openDescriptors, readProcess } from '../process/process-table.ts'

/** A process that listens on a port. */
export interface PortOwner {
  readonly pid: number
  readonly groupId: number
  readonly command: string
}

/** What the kernel shows of a port to the user that we are. */
export interface PortSight {
  /** Somebody listens. */
  readonly isOpen: boolean
  /** Those of them whom we may see. */
  readonly owners: readonly PortOwner[]
  /** The leader of the group whose port it ought to be. */
  readonly leader: number | undefined
  /** One of the group does not show what it has open. */
  readonly hasHiddenMember: boolean
}

/** Whose a port is: the group's, a stranger's, or nobody's any more. */
export type PortHolder = 'group' | 'stranger' | 'nobody'

const listening = '0A'

/** Who listens on a TCP port of this machine, from the kernel's socket tables (Linux; elsewhere nobody is known). */
export function ownersOfPort(port: number): PortOwner[] {
  const sockets = socketsOn(port)
  return sockets.size === 0 ? [] : holdersOf(sockets)
}

/** The TCP ports on which any of these processes listens. */
export function listeningPortsOf(pids: readonly number[]): number[] {
  const open = new Set(pids.flatMap((pid) => openDescriptors(pid).map(({ target }) => target)))
  return listeningSockets()
    .filter(({ inode }) => open.has(`socket:[${inode}]`))
    .map(({ port }) => port)
}

/** Looks who holds a port that ought to be a group's (Linux). */
export function lookAtPort(port: number, leader: number | undefined): PortSight {
  const owners = ownersOfPort(port)
  const group = leader === undefined ? [] : [leader, ...groupMembers(leader).map(({ pid }) => pid)]
  return {
    isOpen: owners.length > 0 || socketsOn(port).size > 0,
    owners,
    leader,
    hasHiddenMember: group.some((pid) => openDescriptors(pid).length === 0),
  }
}

/**
 * Who does not run as root sees the sockets of all, but of the processes only the own: a port whose owner cannot be seen is
 * a stranger's. Unless one of the group hides what it has open, as programs do that were given rights: then it is believed.
 */
export function holderOf({ isOpen, owners, leader, hasHiddenMember }: PortSight): PortHolder {
  if (!isOpen) return 'nobody'
  if (owners.some(({ pid, groupId }) => leader !== undefined && (pid === leader || groupId === leader))) return 'group'
  return owners.length === 0 && hasHiddenMember ? 'group' : 'stranger'
}

/** "pid 812 (node server.mjs)", for messages. */
export function describeOwners(owners: readonly PortOwner[]): string {
  return owners.length === 0
    ? 'a process that we may not see'
    : owners.map((o) => `pid ${o.pid} (${o.command})`).join(', ')
}

function socketsOn(port: number): ReadonlySet<string> {
  return new Set(
    listeningSockets()
      .filter((socket) => socket.port === port)
      .map((socket) => socket.inode),
  )
}

function holdersOf(inodes: ReadonlySet<string>): PortOwner[] {
  const targets = new Set([...inodes].map((inode) => `socket:[${inode}]`))
  return listPids()
    .filter((pid) => openDescriptors(pid).some(({ target }) => targets.has(target)))
    .map((pid) => ({ pid, groupId: readProcess(pid)?.groupId ?? 0, command: commandOf(pid) }))
}

function listeningSockets(): { port: number; inode: string }[] {
  if (process.platform !== 'linux') return []
  // A kernel without IPv6 has no second table.
  return ['/proc/net/tcp', '/proc/net/tcp6'].filter(existsSync).flatMap((path) =>
    readFileSync(path, 'utf8')
      .split('\n')
      .slice(1)
      .map((line) => line.trim().split(/\s+/))
      .filter((fields) => fields[3] === listening)
      .map((fields) => ({ port: Number.parseInt(fields[1]?.split(':')[1] ?? '', 16), inode: fields[9] ?? '' })),
  )
}
