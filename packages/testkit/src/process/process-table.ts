import { readFileSync, readdirSync, readlinkSync } from 'node:fs'
import { systemCode } from '../errors.ts'

/**
 * The kernel's process table, as far as the kit needs it.
 *
 * A number alone does not name a process: the kernel uses it again. A process is named by its number together with
 * the moment it started. A zombie is dead: it holds no port, no file, no memory; only its parent has not asked yet.
 *
 * On systems without `/proc` the lists are empty, liveness falls back to signal 0, and a group is addressed as a whole.
 */
export interface ProcessEntry {
  readonly pid: number
  readonly parentPid: number
  readonly groupId: number
  /** One letter of proc(5): R, S, D, T, Z, … */
  readonly state: string
  /** Clock ticks after boot. */
  readonly startTicks: number
  readonly cpuTicks: number
  readonly threads: number
}

/** A process and the moment it started. `startTicks` is 0 where the system does not tell. */
export interface ProcessIdentity {
  readonly pid: number
  readonly startTicks: number
}

/** Whether there is a `/proc` to look into. */
export const hasProcessTable: boolean = process.platform === 'linux'
/** `kthreadd`: its children never have arguments or an environment. */
const kernelThreads = 2

export function readProcess(pid: number): ProcessEntry | undefined {
  const text = hasProcessTable ? readQuietly(`/proc/${pid}/stat`) : undefined
  if (text === undefined) return undefined
  // The command stands in parentheses and may itself contain anything: read on after the last one.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const number = (index: number): number => Number(fields[index - 3])
  return {
    pid,
    state: fields[0] ?? '?',
    parentPid: number(4),
    groupId: number(5),
    cpuTicks: number(14) + number(15),
    threads: number(20),
    startTicks: number(22),
  }
}

export function listPids(): number[] {
  if (!hasProcessTable) return []
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0)
}

export function listProcesses(): ProcessEntry[] {
  return listPids()
    .map(readProcess)
    .filter((entry) => entry !== undefined)
}

export function identityOf(pid: number): ProcessIdentity {
  return { pid, startTicks: readProcess(pid)?.startTicks ?? 0 }
}

/** True while the very process runs that was meant; false for its successor under the same number and for a zombie. */
export function isAlive(identity: ProcessIdentity): boolean {
  if (!hasProcessTable) return answersSignal(identity.pid)
  const entry = readProcess(identity.pid)
  return (
    entry !== undefined && !isDead(entry) && (identity.startTicks === 0 || entry.startTicks === identity.startTicks)
  )
}

/** The living members of a process group. */
export function groupMembers(groupId: number): ProcessEntry[] {
  return listProcesses().filter((entry) => entry.groupId === groupId && !isDead(entry))
}

/**
 * The living members of the group that this very process leads or led. While one of them lives the kernel gives the
 * group's number to nobody; once they are gone a stranger may lead a group of that number.
 */
export function groupLedBy(leader: ProcessIdentity): ProcessEntry[] {
  if (leader.pid === 0) return []
  const present = readProcess(leader.pid)
  if (present !== undefined && present.startTicks !== leader.startTicks) return []
  return groupMembers(leader.pid).filter((entry) => entry.startTicks >= leader.startTicks)
}

/** Whether somebody of the group lives that this very process leads or led. */
export function hasGroup(leader: ProcessIdentity): boolean {
  if (leader.pid === 0) return false
  return hasProcessTable ? groupLedBy(leader).length > 0 : sendSignal(-leader.pid, 0)
}

/** Signals the whole group that this very process leads or led, also when it has ended; false when nobody of it lives. */
export function signalGroup(leader: ProcessIdentity, signal: NodeJS.Signals): boolean {
  return hasGroup(leader) && sendSignal(-leader.pid, signal)
}

/** The living processes whose environment contains all of these `NAME=value` entries. */
export function findByEnvironment(entries: readonly string[]): ProcessEntry[] {
  return listPids()
    .filter((pid) => pid !== process.pid && hasEnvironment(pid, entries))
    .map(readProcess)
    .filter((entry) => entry !== undefined)
    .filter((entry) => !isDead(entry))
}

/**
 * Whether a process is on its way from one program to the next. Inside of execve(2) there is a moment, long on a busy
 * machine, in which whoever called spawn has been told of its success and the new program has neither arguments nor an
 * environment that could be read: it cannot be known yet whose it is.
 */
export function anyInExec(): boolean {
  return listPids().some((pid) => {
    if (readQuietly(`/proc/${pid}/cmdline`) !== '' || readQuietly(`/proc/${pid}/environ`) !== '') return false
    const entry = readProcess(pid)
    return entry !== undefined && !isDead(entry) && entry.pid !== kernelThreads && entry.parentPid !== kernelThreads
  })
}

/** The command line, for messages. */
export function commandOf(pid: number): string {
  const line = readQuietly(`/proc/${pid}/cmdline`)?.replaceAll('\0', ' ').trim()
  return line === undefined || line === '' ? (readQuietly(`/proc/${pid}/comm`)?.trim() ?? '?') : line
}

/** The open descriptors of a process: number and target. Empty when we may not look. */
export function openDescriptors(pid: number): { fd: number; target: string }[] {
  const folder = `/proc/${pid}/fd`
  try {
    return readdirSync(folder).flatMap((fd) => {
      const target = readLinkQuietly(`${folder}/${fd}`)
      return target === undefined ? [] : [{ fd: Number(fd), target }]
    })
  } catch (error) {
    if (isGone(error)) return []
    throw error
  }
}

/** Sends a signal; false when there is nobody to receive it. A negative number addresses a group; signal 0 only asks. */
export function sendSignal(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal)
  } catch (error) {
    if (systemCode(error) === 'ESRCH' || systemCode(error) === 'EPERM') return false
    throw error
  }
}

/**
 * Signals this very process, or the group that it leads; false when it has ended, whoever has its number now.
 */
export function signalProcess(
  identity: ProcessIdentity,
  signal: NodeJS.Signals,
  to: 'leader' | 'group' = 'leader',
): boolean {
  if (identity.pid === 0 || !isAlive(identity)) return false
  return sendSignal(to === 'group' ? -identity.pid : identity.pid, signal)
}

/** The state is the first thread's: while others of the process still end, they hold its ports and files. */
function isDead(entry: ProcessEntry): boolean {
  return (entry.state === 'Z' || entry.state === 'X') && entry.threads <= 1
}

function answersSignal(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return systemCode(error) === 'EPERM'
  }
}

function hasEnvironment(pid: number, entries: readonly string[]): boolean {
  const text = readQuietly(`/proc/${pid}/environ`)
  if (text === undefined || text === '') return false
  const framed = `\0${text}`
  return entries.every((entry) => framed.includes(`\0${entry}\0`))
}

function readQuietly(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (isGone(error)) return undefined
    throw error
  }
}

function readLinkQuietly(path: string): string | undefined {
  try {
    return readlinkSync(path)
  } catch (error) {
    if (isGone(error)) return undefined
    throw error
  }
}

/** A process may end, or belong to somebody else, between any two looks at it. */
function isGone(error: unknown): boolean {
  return ['ENOENT', 'ESRCH', 'EACCES', 'EPERM'].includes(systemCode(error) ?? '')
}
