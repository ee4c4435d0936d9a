import { createHash } from 'node:crypto'
import { cachedFolder } from '../database/template-cache.ts'
import { runProgram } from '../process/run.ts'

/**
 * Copies a data directory that is expensive to make: made once per machine and version, copied for each server.
 *
 * @param key what it depends on: program version, options, user
 */
export async function copyPreparedData(
  kind: string,
  key: readonly string[],
  target: string,
  make: (folder: string) => Promise<void>,
): Promise<void> {
  const hash = createHash('sha256').update(key.join('\0')).digest('hex').slice(0, 24)
  const source = await cachedFolder(kind, hash, make)
  await runProgram(['cp', '-a', '--reflink=auto', '--', `${source}/.`, target])
}
