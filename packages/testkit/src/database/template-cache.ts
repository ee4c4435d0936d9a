import { createHash, randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, statSync, utimesSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { pollUntil } from '../clock.ts'
import { TestkitError } from '../errors.ts'
import { claimLock, homeDir, releaseLock, removeQuietly } from '../home.ts'
import type { DatabaseSpec } from './database-spec.ts'

/** Templates of a kind beyond this number are removed, the longest unused first. */
export const keptTemplates = 5
/** One that was used so recently may be being copied. */
export const untouchedMs = 60_000
const buildTimeoutMs = 180_000

/**
 * A folder that is expensive to make, made once per machine and key.
 *
 *   absent ──lock, build in a temporary folder──▶ rename ──▶ published
 *                 └─ build fails: nothing is published, the next comer builds again
 *
 * Invariant: a published folder is complete and never changed; whoever loses the race for the lock waits for the winner.
 *
 * @param build fills the empty folder it is given
 * @returns the published folder: copy from it, do not write to it
 */
export async function cachedFolder(
  kind: string,
  key: string,
  build: (folder: string) => Promise<void>,
): Promise<string> {
  const home = homeDir('templates')
  const published = join(home, `${kind}-${key}`)
  const lock = `${published}.lock`
  const ready = await pollUntil(
    async () => {
      if (existsSync(published)) return true
      if (!claimLock(lock)) return false
      try {
        if (!existsSync(published)) await buildAndPublish(published, build)
      } finally {
        releaseLock(lock)
      }
      return true
    },
    { timeoutMs: buildTimeoutMs, intervalMs: 20 },
  )
  if (ready === undefined) {
    throw new TestkitError(
      'TK_DATABASE_FAILED',
      `another process did not finish ${published} within ${buildTimeoutMs / 1000} s; remove ${lock} if it is dead`,
    )
  }
  const now = new Date()
  utimesSync(published, now, now)
  return published
}

/**
 * What a database template is made from: a change of any of it makes another template. The seed is not part of it: it is
 * put into the copies. Source: testkit.md A6. Throws TK_BAD_SPEC for a source that does not exist.
 */
export function templateKey(spec: DatabaseSpec, engineVersion: string): string {
  const hash = createHash('sha256').update(`${spec.engine}\n${engineVersion}\n`)
  hash.update(typeof spec.migrate === 'function' ? spec.migrate.toString() : spec.migrate.join('\0'))
  for (const source of spec.sources ?? []) hashPath(source instanceof URL ? fileURLToPath(source) : source, hash)
  return hash.digest('hex').slice(0, 24)
}

function hashPath(path: string, hash: ReturnType<typeof createHash>): void {
  hash.update(`${path}\0`)
  const found = statSync(path, { throwIfNoEntry: false })
  if (found === undefined) throw new TestkitError('TK_BAD_SPEC', `the source ${path} of a migration does not exist`)
  if (found.isDirectory()) for (const name of sourcesIn(path)) hashPath(join(path, name), hash)
  else hash.update(readFileSync(path))
}

/** What Python makes of its sources when it first reads them is not one of them. */
function sourcesIn(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => name !== '__pycache__')
    .sort()
}

async function buildAndPublish(published: string, build: (folder: string) => Promise<void>): Promise<void> {
  const building = `${published}.building-${randomUUID()}`
  mkdirSync(building, { mode: 0o711 })
  try {
    await build(building)
    renameSync(building, published)
  } finally {
    removeQuietly(building)
  }
  removeOldest(kindOf(published), published)
}

function kindOf(folder: string): string {
  return basename(folder).slice(0, basename(folder).lastIndexOf('-'))
}

function removeOldest(kind: string, kept: string): void {
  const home = homeDir('templates')
  const old = readdirSync(home)
    .filter((name) => !name.includes('.') && kindOf(name) === kind)
    .map((name) => join(home, name))
    .filter((path) => path !== kept)
    .map((path) => ({ path, at: statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0 }))
    .sort((a, b) => b.at - a.at)
    .slice(keptTemplates - 1)
  for (const { path, at } of old) if (Date.now() - at > untouchedMs) removeQuietly(path)
}
