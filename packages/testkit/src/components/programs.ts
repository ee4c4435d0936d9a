import { readdirSync } from 'node:fs'
import { userInfo } from 'node:os'
import { systemCode } from '../errors.ts'
import { findExecutable } from '../process/executable.ts'
import { runProgram } from '../process/run.ts'
import type { Availability } from '../spec.ts'

/** Whether all programs are there; the version is what the first prints. */
export async function programsAvailable(
  programs: readonly string[],
  remedy: string,
  versionArguments: readonly string[] = ['--version'],
): Promise<Availability> {
  const missing = programs.filter((program) => findExecutable(program) === undefined)
  if (missing.length > 0) return { ok: false, why: `${missing.join(', ')} not found: apt-get install ${remedy}` }
  const { stdout } = await runProgram([programs[0]!, ...versionArguments], { expectExitCode: 'any', timeoutMs: 10_000 })
  return { ok: true, version: stdout.trim().split('\n')[0] ?? '' }
}

/** PostgreSQL's own folder of programs: Debian keeps one per major version, outside of PATH. */
export function postgresBin(): string | undefined {
  const root = '/usr/lib/postgresql'
  const versions = entriesOf(root)
    .filter((name) => /^\d+$/.test(name))
    .sort((a, b) => Number(b) - Number(a))
  const folder = versions
    .map((version) => `${root}/${version}/bin`)
    .find((bin) => findExecutable(`${bin}/postgres`) !== undefined)
  if (folder !== undefined) return folder
  const onPath = findExecutable('postgres')
  return onPath?.slice(0, onPath.lastIndexOf('/'))
}

/**
 * The user for servers that refuse to run as root: the first of these accounts that exists. Undefined when we are not root:
 * then they run as we do.
 */
export async function unprivilegedUser(...names: string[]): Promise<{ uid: number; gid: number } | undefined> {
  if (userInfo().uid !== 0) return undefined
  for (const name of [...names, 'nobody']) {
    const { exitCode, stdout } = await runProgram(['getent', 'passwd', name], { expectExitCode: 'any' })
    const [, , uid, gid] = stdout.trim().split(':')
    if (exitCode === 0) return { uid: Number(uid), gid: Number(gid) }
  }
  return undefined
}

/** What is in a folder; nothing when there is no such folder. */
export function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '')) return []
    throw error
  }
}
