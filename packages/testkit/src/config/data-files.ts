import { chmodSync, copyFileSync, existsSync, mkdirSync, statSync } from 'node:fs'
import { dirname, isAbsolute } from 'node:path'
import { fileURLToPath } from 'node:url'
import { TestkitError } from '../errors.ts'
import { pathInside } from '../inside.ts'

/** A file that the server finds beside its configuration. A relative path is refused: relative to what? Use a URL. */
export interface DataFile {
  readonly from: string | URL
  readonly to: string
  readonly mode?: number
}

/**
 * Copies a data file and returns its new path.
 *
 * @throws TestkitError TK_DATA_FILE_MISSING naming both paths, TK_BAD_SPEC for a target outside of the folder. Source: testkit.md A3.2.
 */
export function copyDataFile(file: DataFile, dir: string): string {
  const from = file.from instanceof URL ? fileURLToPath(file.from) : file.from
  const to = pathInside(dir, file.to, 'data file')
  if (!isAbsolute(from)) {
    throw new TestkitError(
      'TK_BAD_SPEC',
      `data file ${from} is relative: use new URL(${JSON.stringify(from)}, import.meta.url)`,
    )
  }
  if (!existsSync(from))
    throw new TestkitError('TK_DATA_FILE_MISSING', `data file ${from} does not exist, wanted at ${to}`)
  mkdirSync(dirname(to), { recursive: true })
  copyFileSync(from, to)
  chmodSync(to, file.mode ?? statSync(from).mode & 0o777)
  return to
}
