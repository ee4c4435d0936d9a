import { linkSync, lstatSync, mkdirSync, readFileSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs'
import { randomUUID } from 'node:crypto'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { TestkitError, systemCode } from './errors.ts'
import { identityOf, isAlive, type ProcessIdentity } from './process/process-table.ts'

const writableByOthers = 0o022

/**
 * Where the kit keeps what must be known machine-wide: port and Redis leases, database templates, and the folders of
 * the running clusters. One per user; `MAINSTAY_TESTKIT_DIR` moves it.
 *
 * Folders are passable (0711) because some servers refuse to run as root and run as another user below them.
 *
 * @throws TestkitError TK_BAD_SPEC when the usual folder is somebody else's
 */
export function homeDir(...parts: string[]): string {
  const path = join(process.env['MAINSTAY_TESTKIT_DIR'] ?? usualHome(), ...parts)
  mkdirSync(path, { recursive: true, mode: 0o711 })
  return path
}

/** Where anybody may make a folder, somebody else may have made this one to tell us what to end and remove. */
function usualHome(): string {
  const { uid } = userInfo()
  const path = join(tmpdir(), `mainstay-testkit-${uid}`)
  mkdirSync(path, { recursive: true, mode: 0o711 })
  const found = lstatSync(path)
  if (found.isDirectory() && found.uid === uid && (found.mode & writableByOthers) === 0) return path
  throw new TestkitError(
    'TK_BAD_SPEC',
    `${path} is not a folder of yours that only you can write to: remove it, or name another one with MAINSTAY_TESTKIT_DIR`,
  )
}

/** Writes to a temporary name and renames: a reader sees the old or the new content, never half of it. */
export function writeFileAtomically(path: string, content: string, mode = 0o600): void {
  const temporary = `${path}.${randomUUID()}.tmp`
  writeFileSync(temporary, content, { mode })
  renameSync(temporary, path)
}

/**
 * A lock file that names its owner: whoever finds it can tell whether the owner still lives.
 *
 *   free ──link──▶ owned ──unlink──▶ free
 *                    └─ owner dead: one claimant wins `<path>.takeover-<owner>`, looks again, replaces the file ─▶ owned
 *
 * Invariant: the file appears with its whole content (link) and is replaced only by the holder of the takeover mark,
 * so two processes never both believe that they own it.
 *
 * @returns true when the lock is now ours
 */
export function claimLock(path: string, owner: ProcessIdentity = ownIdentity()): boolean {
  const content = JSON.stringify(owner)
  if (createWhole(path, content)) return true
  const found = readOwner(path)
  if (found === undefined) return createWhole(path, content)
  if (isAlive(found)) return false
  const mark = `${path}.takeover-${found.pid}-${found.startTicks}`
  if (!createWhole(mark, content)) {
    dropDeadMark(mark)
    return false
  }
  try {
    const again = readOwner(path)
    if (again === undefined) return createWhole(path, content)
    if (again.pid !== found.pid || again.startTicks !== found.startTicks) return false
    writeFileAtomically(path, content)
    return true
  } finally {
    removeQuietly(mark)
  }
}

/** Gives the lock back, if it is this owner's. */
export function releaseLock(path: string, owner: ProcessIdentity = ownIdentity()): void {
  const found = readOwner(path)
  if (found?.pid === owner.pid && found.startTicks === owner.startTicks) removeQuietly(path)
}

/**
 * Frees a lock whose owner is dead; any other stays. By way of claiming it: somebody else may be taking it over at this
 * moment, and their lock must not be removed.
 */
export function freeDeadLock(path: string): void {
  const owner = readOwner(path)
  if (owner !== undefined && !isAlive(owner) && claimLock(path)) releaseLock(path)
}

/**
 * Who holds a lock or a folder; `marker` is the environment entry that the processes of a folder's cluster carry, `keep`
 * says that the folder stays whatever happens.
 */
export interface Owner extends ProcessIdentity {
  readonly marker?: string
  readonly keep?: boolean
}

/** Undefined when there is none, and when the file is not whole: a power cut may leave it empty. */
export function readOwner(path: string): Owner | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Owner
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || error instanceof SyntaxError) return undefined
    throw error
  }
}

let own: ProcessIdentity | undefined

export function ownIdentity(): ProcessIdentity {
  own ??= identityOf(process.pid)
  return own
}

/** Removes a file or folder; that it is not there is fine. */
export function removeQuietly(path: string): void {
  rmSync(path, { recursive: true, force: true, maxRetries: 3 })
}

/** A claimant that died between marking and replacing leaves its mark; the next to come clears it. */
function dropDeadMark(mark: string): void {
  const claimant = readOwner(mark)
  if (claimant !== undefined && !isAlive(claimant)) removeQuietly(mark)
}

function createWhole(path: string, content: string): boolean {
  const temporary = `${path}.${randomUUID()}.tmp`
  writeFileSync(temporary, content, { mode: 0o600 })
  try {
    linkSync(temporary, path)
    return true
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false
    throw error
  } finally {
    unlinkSync(temporary)
  }
}
