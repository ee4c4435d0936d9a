import { closeSync, existsSync, lstatSync, openSync, readSync, realpathSync, rmSync } from 'node:fs'
import { basename, dirname, isAbsolute, join, relative, resolve } from 'node:path'
import { TestkitError } from '../errors.ts'
import { assertDisposable } from './database-url.ts'

const header = 'SQLite format 3\0'

/**
 * Refuses a file that the kit has not made and that does not look like a test's: what a URL names is emptied, and a URL
 * may name anything. Fine is a path in the cluster's own folder, or a file name that {@link assertDisposable} accepts.
 * Neither may stand for something else than a SQLite file.
 *
 * Throws TK_DATABASE_REFUSED, and TK_BAD_SPEC for a relative path: relative to what? Source: testkit.md A6.
 */
export function assertDisposableFile(path: string, ownFolder: string): void {
  if (!isAbsolute(path)) {
    throw new TestkitError('TK_BAD_SPEC', `the SQLite file "${path}" is relative: write sqlite:////absolute/path`)
  }
  if (!isBelow(ownFolder, path)) assertDisposable(basename(path), path)
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (found === undefined || (found.isFile() && (found.size === 0 || beginning(path) === header))) return
  throw new TestkitError(
    'TK_DATABASE_REFUSED',
    `${path} is not emptied: it is ${found.isFile() ? 'a file of another kind, no SQLite database' : 'not a file'}. ` +
      'Name a file that does not exist yet, or remove this one yourself.',
  )
}

/** Removes a SQLite file with what SQLite keeps beside it. Never a folder. */
export function removeSqliteFile(path: string): void {
  for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(path + suffix, { force: true })
}

function isBelow(folder: string, path: string): boolean {
  const way = relative(real(folder), real(path))
  return way !== '' && way !== '..' && !way.startsWith('../')
}

/** Links on the way are followed, as far as there is a way. */
function real(path: string): string {
  const parent = dirname(resolve(path))
  return join(existsSync(parent) ? realpathSync(parent) : parent, basename(path))
}

function beginning(path: string): string {
  const file = openSync(path, 'r')
  try {
    const bytes = Buffer.alloc(header.length)
    return bytes.toString('latin1', 0, readSync(file, bytes, 0, bytes.length, 0))
  } finally {
    closeSync(file)
  }
}
