import type { JsonObject } from '../../core/json.ts'
import { RedisReplyError } from '../../store/redis/index.ts'
import {
  HoldRefusedError,
  PoolGroupNotFoundError,
  PoolMasterFencedError,
  PoolRequestEndedError,
  PoolRequestNotFoundError,
  VmExistsError,
  VmLeaseLostError,
  VmNotFoundError,
  VmStateError,
} from '../errors.ts'
import type { VmState } from '../state.ts'

/** What a transition was about, for the texts of its errors. */
export interface About {
  readonly name?: string
  readonly group?: string
  readonly fence?: number | null
  /** What the holder of a lease wanted. */
  readonly what?: string
}

/** The error for a transition that refused; nothing was changed then. */
export function refusalError(result: JsonObject, about: About): Error {
  const said = (member: string): string => {
    const text = result[member]
    return typeof text === 'string' ? text : ''
  }
  const code = said('error')
  const name = typeof result['name'] === 'string' ? result['name'] : (about.name ?? '')
  switch (code) {
    case 'fenced':
      return new PoolMasterFencedError(about.fence ?? 0)
    case 'not_found':
      return new VmNotFoundError(name)
    case 'exists':
      return new VmExistsError(name, said('group'))
    case 'group':
      return new PoolGroupNotFoundError(about.group ?? '')
    case 'state':
      return new VmStateError(name, said('state') as VmState, said('what'))
    case 'lease_lost':
      return new VmLeaseLostError(name, about.what ?? 'request')
    case 'hold':
      return new HoldRefusedError(name, said('why'))
    case 'request':
      return new PoolRequestNotFoundError(said('id'))
    case 'ended':
      return new PoolRequestEndedError(said('id'), said('status'))
    default:
      return new RedisReplyError(`A transition of the pool refused for a reason unknown here: ${code}.`)
  }
}
