import { join } from 'node:path'
import { TestkitError } from '../errors.ts'
import { claimLock, homeDir, releaseLock } from '../home.ts'
import type { ReaperClient } from '../reaper/reaper-client.ts'
import type { DatabaseSpec, ProvisionedDatabase } from './database-spec.ts'
import { parseDatabaseUrl, withDatabase } from './database-url.ts'
import { migrate } from './migrate.ts'
import { redisCommands, type RedisReply } from './redis-client.ts'

/** Redis numbers its databases; 0 is everybody's and is never taken. */
const lastNumber = 15

/**
 * A logical database of a running Redis, leased machine-wide: numbers 1–15. Emptied with FLUSHDB on that number alone,
 * never FLUSHALL. Throws TK_DATABASE_FAILED when all are taken. Source: testkit.md A6.
 */
export async function provisionRedis(
  spec: DatabaseSpec,
  url: string,
  reaper: ReaperClient,
): Promise<ProvisionedDatabase> {
  const { host, port = 6379, password } = parseDatabaseUrl(url)
  const { number, path } = lease(host, port)
  reaper.tell({ event: 'lease', path })
  const run = async (command: readonly string[]): Promise<RedisReply> => {
    const [reply = null] = await redisCommands({ host, port, password, database: number }, [command])
    return reply
  }
  const own = withDatabase(url, String(number))
  const fill = async (): Promise<void> => {
    await run(['FLUSHDB'])
    await migrate(spec, { url: own, path: '', dir: '' })
  }
  await fill()
  return {
    engine: 'redis',
    url: own,
    sql: async (statement, params) => [{ value: await run([...statement.trim().split(/\s+/), ...params.map(String)]) }],
    reset: fill,
    close: async () => {
      releaseLock(path)
      reaper.tell({ event: 'forget-lease', path })
    },
    drop: async () => void (await run(['FLUSHDB'])),
  }
}

function lease(host: string, port: number): { number: number; path: string } {
  const folder = homeDir('redis')
  for (let number = 1; number <= lastNumber; number++) {
    const path = join(folder, `${host.replaceAll(/[^\w.-]/g, '_')}-${port}-${number}.lock`)
    if (claimLock(path)) return { number, path }
  }
  throw new TestkitError(
    'TK_DATABASE_FAILED',
    `all databases 1–${lastNumber} of the Redis at ${host}:${port} are in use; give each test its own Redis`,
  )
}
