import type { RedisConnection } from '../../../packages/mainstay/src/store/redis/index.ts'

export interface CountedConnection {
  readonly connection: RedisConnection
  /** How many commands have been sent over it. */
  readonly sent: () => number
}

/** The same connection with a count of the commands that go over it. */
export function countCommands(connection: RedisConnection): CountedConnection {
  let sent = 0
  const counting = new Proxy(connection, {
    get: (target, member) => {
      if (member === 'ask' || member === 'runScript') sent += 1
      const value: unknown = Reflect.get(target, member)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
  return { connection: counting, sent: () => sent }
}
