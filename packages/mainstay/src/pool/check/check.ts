import { isIP } from 'node:net'

import { MainstayError } from '../../core/errors.ts'
import type { VmDescriptor } from '../descriptor.ts'

/** What a check may know of a machine. */
export type CheckedVm = Pick<VmDescriptor, 'name' | 'ip' | 'group' | 'provider' | 'providerId' | 'providerData'>

/** What came of looking at a machine. */
export interface CheckOutcome {
  readonly passed: boolean
  /** Why it did not pass; empty when it did. */
  readonly reason: string
}

/**
 * Looks at a machine once. It has no time limit of its own but the signal: whoever asks bounds it, and a time that is over counts
 * against the machine.
 *
 * @throws CheckNotRunError when it could not look at all, which says nothing about the machine; the signal's reason
 *
 * Source: vm-pool.md C7.
 */
export type HealthCheck = (vm: CheckedVm, asking: { readonly signal: AbortSignal }) => Promise<CheckOutcome>

/** A check could not be made at all. The machine is neither better nor worse for it. */
export class CheckNotRunError extends MainstayError {
  readonly code = 'MS_POOL_CHECK_NOT_RUN'
  readonly status = 503
  readonly retryable = true

  constructor(vm: string, why: string, options?: { cause?: unknown }) {
    super(`The machine ${vm} could not be checked: ${why}`, options)
  }
}

export const PASSED: CheckOutcome = { passed: true, reason: '' }

export function failed(reason: string): CheckOutcome {
  return { passed: false, reason }
}

/** The address of a machine, which goes into command lines and URLs. @throws CheckNotRunError when it has none */
export function addressOf({ name, ip }: CheckedVm): string {
  if (ip === null || isIP(ip) === 0) throw new CheckNotRunError(name, `it has no valid address (${ip ?? 'none'}).`)
  return ip
}
