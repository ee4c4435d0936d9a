import type { RedisConnection } from '../../store/redis/index.ts'
import { listOf } from './reply.ts'

export type Asked = Pick<RedisConnection, 'ask'>

/** How many keys one step of a scan looks at, about. */
const SCAN_COUNT = '1000'

/** The names of all machines that have a record, in order: a scan, for start-up and care only. */
export async function namesOfRecords(connection: Asked, prefix: string): Promise<string[]> {
  const start = `${prefix}vm_instance:hset::`
  const keys = await scan(connection, `${escaped(start)}*`)
  return keys.map((key) => key.slice(start.length)).sort()
}

/** The same, and those that stand in a group's set only. */
export async function scanNames(connection: Asked, prefix: string, groups: readonly string[]): Promise<string[]> {
  const names = new Set(await namesOfRecords(connection, prefix))
  for (const group of groups) {
    const members = await connection.ask(['SMEMBERS', `${prefix}vm_pool:set::${group}`])
    for (const name of listOf(members)) names.add(String(name))
  }
  return [...names].sort()
}

/** Every key that matches a pattern, once. */
export async function scan(connection: Asked, pattern: string): Promise<string[]> {
  const found = new Set<string>()
  let cursor = '0'
  do {
    const reply = listOf(await connection.ask(['SCAN', cursor, 'MATCH', pattern, 'COUNT', SCAN_COUNT]))
    cursor = String(reply[0])
    for (const key of listOf(reply[1])) found.add(String(key))
  } while (cursor !== '0')
  return [...found]
}

/** A text as it stands in a pattern. */
export function escaped(text: string): string {
  return text.replaceAll(/[\\*?[\]]/g, String.raw`\$&`)
}
