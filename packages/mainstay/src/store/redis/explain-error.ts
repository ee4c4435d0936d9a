import { ErrorReply } from '@redis/client'

import { MainstayError, errorMessage } from '../../core/errors.ts'
import { RedisReplyError, RedisUnavailableError } from './errors.ts'

/** What Redis says when it is alive but cannot work now: https://redis.io/docs/latest/develop/reference/protocol-spec/ */
const NOT_NOW = /^(?:LOADING|READONLY|MASTERDOWN|OOM|MISCONF|CLUSTERDOWN|TRYAGAIN|BUSY|NOREPLICAS|ERR max number)\b/

/** Turns what the driver throws into errors that say what to do. */
export function explainRedisError(error: unknown, { address, what }: { address: string; what: string }): unknown {
  if (error instanceof MainstayError) return error
  const said = errorMessage(error)
  if (!(error instanceof ErrorReply)) {
    return new RedisUnavailableError(
      `Redis at ${address} could not be asked for ${what} (${said}). It is tried again by itself; see that it runs and can be reached.`,
      { cause: error },
    )
  }
  if (NOT_NOW.test(said) || said.includes('OOM command not allowed')) {
    return new RedisUnavailableError(
      `Redis at ${address} refused ${what} (${said}). It is tried again by itself; see to the memory and disk of Redis.`,
      { cause: error },
    )
  }
  return new RedisReplyError(`Redis at ${address} answered ${what} with an error: ${said}`, { cause: error })
}
