import { isAbsolute, join, relative, sep } from 'node:path'
import { TestkitError } from './errors.ts'

/**
 * The path of a file below a folder of ours; a leading slash counts as the folder.
 *
 * @param what names the file in the message: `configuration file`
 * @throws TestkitError TK_BAD_SPEC for a name that leads out of the folder: the clean-up would not find what it wrote
 */
export function pathInside(dir: string, name: string, what: string): string {
  const path = join(dir, name)
  const way = relative(dir, path)
  if (way !== '' && way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way)) return path
  throw new TestkitError('TK_BAD_SPEC', `${what} ${JSON.stringify(name)} is not below ${dir}`)
}
