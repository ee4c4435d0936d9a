import { constants } from 'node:fs'
import { access, stat } from 'node:fs/promises'
import { delimiter, join, resolve } from 'node:path'

/**
 * Whether a program can be run, looked for as the operating system would: by its path, or by its name in the directories of
 * `PATH`.
 *
 * @throws what the operating system says of a path that is none, such as one with a zero byte
 */
export async function canRun(
  program: string,
  { cwd = process.cwd(), path = '' }: { readonly cwd?: string | undefined; readonly path?: string | undefined },
): Promise<boolean> {
  const places = program.includes('/')
    ? [resolve(cwd, program)]
    : path.split(delimiter).map((directory) => resolve(cwd, join(directory, program)))
  for (const place of places) if (await isProgram(place)) return true
  return false
}

async function isProgram(file: string): Promise<boolean> {
  try {
    await access(file, constants.X_OK)
    return (await stat(file)).isFile()
  } catch (error) {
    if (error instanceof TypeError) throw error
    return false
  }
}
