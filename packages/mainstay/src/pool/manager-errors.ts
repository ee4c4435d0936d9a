import { MainstayError } from '../core/errors.ts'
import type { Refusal } from './request.ts'

const WORDS: Record<Refusal['kind'], string> = {
  no_vm: 'no machine is free',
  user_limit: 'the owner is at its limit',
  sandbox_limit: 'the sandbox is at its limit',
  arch_limit: 'the architecture is at its limit',
  group_limit: 'the group is at its limit of machines in use',
  queue: 'others are before it in the queue',
  draining: 'the group is drained',
}

/** One reason why a request is not served, with its numbers. */
export function refusalText({ kind, group, limit, count }: Refusal): string {
  const where = group === null ? '' : `${group}: `
  const numbers = limit === null || count === null ? '' : ` (${count} of ${limit})`
  return `${where}${WORDS[kind]}${numbers}`
}

/** No machine can be handed out now, and the request does not wait. Source: vm-pool.md A5.2 (NoVmAvailable). */
export class PoolUnavailableError extends MainstayError {
  readonly code = 'MS_POOL_UNAVAILABLE'
  readonly status = 409
  readonly retryable = true
  readonly refusals: readonly Refusal[]

  constructor(owner: string, taskId: string | null, refusals: readonly Refusal[]) {
    const task = taskId === null ? '' : ` (task ${taskId})`
    const why = refusals.map(refusalText).join('; ') || 'no machine is free'
    super(`No machine can be handed to ${owner}${task} now: ${why}. Ask again later, or wait with --wait.`)
    this.refusals = refusals
  }
}

/** A request has no machine: it was cancelled, waited for as long as it wanted to, or lost again what it was granted. */
export class PoolRequestRefusedError extends MainstayError {
  readonly code = 'MS_POOL_REQUEST_REFUSED'
  readonly status = 409
  readonly retryable: boolean

  constructor(id: string, status: string, reason: string | null) {
    super(
      status === 'granted'
        ? `The request ${id} was granted, and its lease has ended since: nobody showed life, or it was given back. Make a new one.`
        : `The request ${id} got no machine: it is ${status}${reason === null ? '' : ` (${reason})`}.`,
    )
    this.retryable = status === 'expired'
  }
}

/** A machine was granted, but it did not pass the check at the hand-over, several times in a row. */
export class PoolHandOverError extends MainstayError {
  readonly code = 'MS_POOL_HAND_OVER'
  readonly status = 503
  readonly retryable = true

  constructor(attempts: number, lastReason: string) {
    super(
      `${attempts} machines in a row did not pass the check at the hand-over and were thrown away; the last: ${lastReason}. ` +
        'Look at "mainstay pool list" and at the network between this host and the machines.',
    )
  }
}
