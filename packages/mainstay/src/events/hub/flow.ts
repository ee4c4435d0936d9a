import { BadRequestError } from '../../http/errors.ts'
import type { HubOptions } from './options.ts'

/** What happens to a live client that does not read fast enough. Source: event-stream.md R20. */
export type SlowPolicy = 'catchup' | 'drop' | 'disconnect'

export const SLOW_POLICIES: readonly SlowPolicy[] = ['catchup', 'drop', 'disconnect']

export interface FlowView {
  readonly policy: SlowPolicy
  /** Whether it was level with the head when its socket last took everything. */
  readonly live: boolean
  readonly unsentBytes: number
  readonly unsentFrames: number
}

/**
 * Whether a connection is given what comes next (`send`), later (`wait`), never (`skip`), or is ended
 * (`disconnect`). One that is not live yet is always fed at its own pace, from the log.
 *
 * Source: event-stream.md R19, R20.
 */
export function decideFlow(
  { policy, live, unsentBytes, unsentFrames }: FlowView,
  { softLimitBytes, hardLimitBytes, hardLimitFrames }: HubOptions,
): 'send' | 'wait' | 'skip' | 'disconnect' {
  if (live && policy === 'disconnect') {
    return unsentBytes > hardLimitBytes || unsentFrames > hardLimitFrames ? 'disconnect' : 'send'
  }
  if (unsentBytes <= softLimitBytes) return 'send'
  return live && policy === 'drop' ? 'skip' : 'wait'
}

/** @throws BadRequestError */
export function parsePolicy(text: string | null): SlowPolicy {
  if (text === null) return 'catchup'
  const policy = SLOW_POLICIES.find((each) => each === text)
  if (policy === undefined) throw new BadRequestError(`policy must be one of ${SLOW_POLICIES.join(', ')}.`)
  return policy
}
