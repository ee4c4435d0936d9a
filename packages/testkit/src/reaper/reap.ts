import { freeDeadLock } from '../home.ts'
import { pollUntil } from '../clock.ts'
import {
  findByEnvironment,
  groupLedBy,
  hasGroup,
  hasProcessTable,
  isAlive,
  sendSignal,
  signalGroup,
  type ProcessEntry,
  type ProcessIdentity,
} from '../process/process-table.ts'
import { runProgram } from '../process/run.ts'
import type { Ledger } from './ledger.ts'
import { unmountOwn } from './mounts.ts'
import { leaveFolder } from './sweep.ts'

/** Between the polite and the hard signal. */
const graceMs = 400

/** Ends and removes everything in the ledger. Order: processes, databases, leases, mounts, folders. */
export async function reap(ledger: Ledger): Promise<void> {
  const targets = (): ProcessEntry[] => remaining(ledger)
  const groups = (): ProcessIdentity[] => unseenGroups(ledger)
  const areGone = (): boolean => targets().length === 0 && groups().length === 0
  signalAll(targets(), 'SIGCONT')
  for (const leader of groups()) signalGroup(leader, 'SIGCONT')
  const leaders = [...ledger.processes.values()]
  for (const leader of leaders) signalAll([leader], leader.signal)
  const asked = new Set(leaders.map((leader) => leader.pid))
  signalAll(
    targets().filter((entry) => !asked.has(entry.pid)),
    'SIGTERM',
  )
  await pollUntil(areGone, { timeoutMs: graceMs, intervalMs: 20 })
  await pollUntil(
    () => {
      signalAll(targets(), 'SIGKILL')
      for (const leader of groups()) signalGroup(leader, 'SIGKILL')
      return areGone()
    },
    { timeoutMs: 2000, intervalMs: 20 },
  )
  await Promise.allSettled([...ledger.databases.values()].map(dropDatabase))
  await Promise.allSettled([...ledger.leases].map(async (path) => freeDeadLock(path)))
  await Promise.allSettled([...ledger.mounts].map(unmountOwn))
  // Each by itself: what cannot be removed now is swept by a later run and must not keep the rest.
  await Promise.allSettled([...ledger.dirs].map(async (path) => leaveFolder(path)))
}

async function dropDatabase({
  command,
  env,
}: {
  command: readonly string[]
  env: Record<string, string>
}): Promise<void> {
  await runProgram(command, { env: { ...process.env, ...env }, timeoutMs: 2000 })
}

/** The living members of the groups we were told of, and whoever carries one of our markers. */
function remaining(ledger: Ledger): ProcessEntry[] {
  const found = new Map<number, ProcessEntry>()
  for (const leader of ledger.processes.values()) {
    for (const member of groupLedBy(leader)) found.set(member.pid, member)
  }
  for (const marker of ledger.markers) for (const entry of findByEnvironment([marker])) found.set(entry.pid, entry)
  found.delete(process.pid)
  return [...found.values()]
}

/** The leaders of living groups, where there is no process table that shows their members. */
function unseenGroups(ledger: Ledger): ProcessIdentity[] {
  return hasProcessTable ? [] : [...ledger.processes.values()].filter(hasGroup)
}

function signalAll(entries: readonly ProcessIdentity[], signal: NodeJS.Signals): void {
  for (const entry of entries) if (isAlive(entry)) sendSignal(entry.pid, signal)
}
