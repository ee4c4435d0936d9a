import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { InvalidInputError, errorCode } from '../../core/errors.ts'
import type { Ids } from '../../core/ids.ts'
import { dataDirectory } from '../build-store.ts'
import type { Config } from '../config/schema.ts'

const FILE = 'pool-installation'

/**
 * What this installation writes on its machines, so that it knows them again and leaves all others alone.
 *
 * Made up once and kept in the data directory. Several processes on one Redis have no directory in common, so they are
 * given it.
 *
 * Source: vm-pool.md C10.
 *
 * @throws InvalidInputError when it has to be given and is not
 */
export function installationId(config: Config, ids: Ids): string {
  const { installation, redis_url: redis } = config.pool
  if (installation !== '') return installation
  if (redis !== '') {
    throw new InvalidInputError(
      'The pool is in Redis, so give pool.installation: all processes of one installation write the same name on their machines.',
    )
  }
  const kept = keptInstallation(config)
  if (kept !== undefined) return kept
  const made = ids.random()
  writeFileSync(join(dataDirectory(config), FILE), `${made}\n`, { mode: 0o600 })
  return made
}

/** What was made up before; undefined before the first start. */
export function keptInstallation(config: Config): string | undefined {
  try {
    return readFileSync(join(dataDirectory(config), FILE), 'utf8').trim() || undefined
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    throw error
  }
}
