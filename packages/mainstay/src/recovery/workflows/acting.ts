import type { Acting } from '../../compute/index.ts'
import type { StepAttempt, StepOptions } from '../../journal/index.ts'
import type { RecoveryPolicy } from '../policy.ts'

/** What the compute port wants to know of the step that acts. */
export function actingAs({ key, fence, signal }: StepAttempt): Acting {
  return { key, fence, signal }
}

/** A request that met a busy or silent platform is made again; one that was refused is not. */
export function requestRetry(policy: RecoveryPolicy): NonNullable<StepOptions['retry']> {
  const { requestAttempts, requestRetryMinMs, requestRetryMaxMs } = policy
  return { attempts: requestAttempts, minDelayMs: requestRetryMinMs, maxDelayMs: requestRetryMaxMs }
}
