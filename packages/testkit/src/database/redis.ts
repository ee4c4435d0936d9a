import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { TestkitError } from '../errors.ts'
import { claimLock, homeDir, releaseLock, removeQuietly, writeFileAtomically } from '../home.ts'
import type { ReaperClient } from '../reaper/reaper-client.ts'
import type { DatabaseSpec, ProvisionedDatabase } from './database-spec.ts'
import { parseDatabaseUrl, withDatabase } from './database-url.ts'
import { migrate, seed } from './migrate.ts'
import { redisCommands, type RedisReply } from './redis-client.ts'

/** Redis numbers its databases; 0 is everybody's and is never taken. */
const lastNumber = 15

/**
 * A logical database of a running Redis, leased machine-wide: numbers 1–15. Emptied with FLUSHDB on that number alone,
 * never FLUSHALL, and only if it was empty or holds what an earlier test left there. Throws TK_DATABASE_FAILED when all
 * are taken. Source: testkit.md A6.
 */
export async function redisDatabase(
  spec: DatabaseSpec,
  url: string,
  reaper: ReaperClient,
): Promise<ProvisionedDatabase> {
  const { host, port = 6379, password } = parseDatabaseUrl(url)
  const { number, path, mark } = await lease({ host, port, password })
  reaper.tell({ event: 'lease', path })
  const run = async (command: readonly string[]): Promise<RedisReply> => {
    const [reply = null] = await redisCommands({ host, port, password, database: number }, [command])
    return reply
  }
  const own = withDatabase(url, String(number))
  let dirty = false
  return {
    engine: 'redis',
    url: own,
    sql: async (statement, params) => [{ value: await run([...statement.trim().split(/\s+/), ...params.map(String)]) }],
    async reset() {
      await run(['FLUSHDB'])
      await migrate(spec, { url: own, path: '', dir: '' })
      await seed(spec, { url: own, path: '', dir: '' })
    },
    close: async () => {
      if (!dirty) removeQuietly(mark)
      releaseLock(path)
      reaper.tell({ event: 'forget-lease', path })
    },
    drop: async () => {
      dirty = true
      await run(['FLUSHDB'])
      dirty = false
    },
  }
}

interface Where {
  readonly host: string
  readonly port: number
  readonly password: string | undefined
}

/**
 * A number that nobody else has. One that holds data is passed over, unless `mark` says that it was the kit that filled it
 * and could not empty it again.
 */
async function lease(where: Where): Promise<{ number: number; path: string; mark: string }> {
  const { host, port } = where
  const folder = homeDir('redis')
  for (let number = 1; number <= lastNumber; number++) {
    const base = join(folder, `${host.replaceAll(/[^\w.-]/g, '_')}-${port}-${number}`)
    const [path, mark] = [`${base}.lock`, `${base}.used`]
    if (!claimLock(path)) continue
    try {
      if (await mayBeEmptied({ ...where, number, mark })) return { number, path, mark }
    } catch (error) {
      releaseLock(path)
      throw error
    }
    releaseLock(path)
  }
  throw new TestkitError(
    'TK_DATABASE_FAILED',
    `all databases 1–${lastNumber} of the Redis at ${host}:${port} are in use or hold data that is not the kit's; ` +
      'give each test its own Redis',
  )
}

/** Marks the number as the kit's, for this run of that Redis, when it is. */
async function mayBeEmptied(of: Where & { number: number; mark: string }): Promise<boolean> {
  const replies = await redisCommands({ ...of, database: of.number }, [['DBSIZE'], ['INFO', 'server']])
  const run = /^run_id:(\w+)/m.exec(String(replies[1]))?.[1] ?? ''
  const marked = run !== '' && existsSync(of.mark) && readFileSync(of.mark, 'utf8') === run
  if (replies[0] !== 0 && !marked) return false
  writeFileAtomically(of.mark, run)
  return true
}
