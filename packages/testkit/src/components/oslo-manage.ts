import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { serialise } from '../config/serialise.ts'
import { removeQuietly } from '../home.ts'
import { runProgram } from '../process/run.ts'

/**
 * Runs a `…-manage` program of OpenStack with a configuration of its own. They read nothing but files, and not from a
 * pipe: the file stands in the given folder while the program runs.
 */
export async function osloManage(
  folder: string,
  config: object,
  command: readonly [string, ...string[]],
  env: Readonly<Record<string, string>> = {},
): Promise<void> {
  const file = join(folder, 'manage.conf')
  const [program, ...args] = command
  writeFileSync(file, serialise(config, file, 'oslo'), { mode: 0o600 })
  try {
    await runProgram([program, '--config-file', file, ...args], {
      env: { ...process.env, ...env },
      cwd: '/',
      timeoutMs: 120_000,
    })
  } finally {
    removeQuietly(file)
  }
}

/** The part of a configuration that names a SQLite database. */
export function sqliteConfig(path: string): object {
  return { DEFAULT: {}, database: { connection: `sqlite:///${path}` } }
}
