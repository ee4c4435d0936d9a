import { existsSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { systemCode } from '../errors.ts'
import { wallMs } from '../clock.ts'
import { freeDeadLock, homeDir, readOwner, removeQuietly } from '../home.ts'
import { findByEnvironment, isAlive, sendSignal } from '../process/process-table.ts'
import { unmountOwn } from './mounts.ts'

/** Name of the file in a cluster's folder that says whose it is. */
export const ownerFile = 'owner.json'
/** Name of the file that marks a folder as kept for a person to look at. */
export const keptFile = 'kept'
/** What the processes of a cluster carry in their environment. Nothing else in a file says whom to end. */
const runMarker = /^MAINSTAY_TESTKIT_RUN=[\w-]+$/
/** Kept folders beyond this number are removed, oldest first. */
export const keptFolders = 20
/** What names no owner and has not changed for so long is nobody's. */
const forgottenMs = 60 * 60 * 1000

/**
 * Removes what dead runs left behind below the home folder: their processes, lock files and folders. What belongs to a
 * living owner, and what was kept on purpose, stays.
 */
export async function sweepDeadRuns(home: string): Promise<void> {
  const entries = (folder: string): string[] => entriesOf(join(home, folder)).map((name) => join(home, folder, name))
  const work = [
    ...[...entries('ports'), ...entries('redis'), ...entries('databases')].map((path) => () => sweepLock(path)),
    ...entries('runs').map((path) => () => sweepRun(path)),
  ]
  // Each by itself: a folder that cannot be removed (somebody's mount is in it) waits for the next sweep.
  await Promise.allSettled(work.map(async (sweep) => sweep()))
}

/** Keeps the newest kept folders, removes the others. */
export function limitKeptFolders(home: string = homeDir()): void {
  const kept = entriesOf(join(home, 'runs'))
    .map((name) => join(home, 'runs', name))
    .filter((path) => existsSync(join(path, keptFile)))
    .map((path) => ({ path, at: statSync(join(path, keptFile)).mtimeMs }))
    .sort((a, b) => b.at - a.at)
  for (const { path } of kept.slice(keptFolders)) removeQuietly(path)
}

/**
 * What becomes of a dead run's folder: it goes, unless its owner said that it is to stay whatever happens. Then it is
 * marked, so that no later run takes it for something left behind, and counts as kept from now on.
 */
export function leaveFolder(path: string): void {
  if (readOwner(join(path, ownerFile))?.keep !== true) {
    removeQuietly(path)
    return
  }
  writeFileSync(join(path, keptFile), '')
  limitKeptFolders(join(path, '..', '..'))
}

async function sweepRun(path: string): Promise<void> {
  if (existsSync(join(path, keptFile))) return
  const owner = readOwner(join(path, ownerFile))
  if (owner === undefined) {
    // Its maker died before saying who it was, or is about to say it.
    if (isForgotten(path)) removeQuietly(path)
    return
  }
  if (isAlive(owner)) return
  const { marker } = owner
  if (marker !== undefined && runMarker.test(marker))
    for (const entry of findByEnvironment([marker])) sendSignal(entry.pid, 'SIGKILL')
  await unmountOwn(path)
  leaveFolder(path)
}

function sweepLock(path: string): void {
  if (path.endsWith('.lock') && readOwner(path) !== undefined) freeDeadLock(path)
  // Half-written locks and marks of claimants that died.
  else if (isForgotten(path)) removeQuietly(path)
}

function isForgotten(path: string): boolean {
  const changedAt = statSync(path, { throwIfNoEntry: false })?.mtimeMs
  return changedAt !== undefined && wallMs() - changedAt > forgottenMs
}

function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return []
    throw error
  }
}
