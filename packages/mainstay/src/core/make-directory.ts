import { mkdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'

import { errorCode } from './errors.ts'

/**
 * Makes a directory and those above it that are missing.
 *
 * Node's own recursive form never returns where the file system refuses to make a directory under one that exists, as
 * `/proc` does; this one takes each level once.
 *
 * @param mode the permissions of those that are made
 * @throws the file system's error, of the level that could not be made
 */
export function makeDirectory(path: string, mode = 0o777): void {
  if (isDirectory(path)) return
  const parent = dirname(path)
  if (parent !== path) makeDirectory(parent, mode)
  try {
    mkdirSync(path, { mode })
  } catch (error) {
    // Somebody else may have made it meanwhile.
    if (errorCode(error) !== 'EEXIST' || !isDirectory(path)) throw error
  }
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
}
