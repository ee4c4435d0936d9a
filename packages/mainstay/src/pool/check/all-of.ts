import { PASSED, type HealthCheck } from './check.ts'

/** Several checks, one after the other; the first that does not pass decides. Of none, every machine passes. */
export function allOf(checks: readonly HealthCheck[]): HealthCheck {
  return async (vm, asking) => {
    for (const check of checks) {
      const outcome = await check(vm, asking)
      if (!outcome.passed) return outcome
    }
    return PASSED
  }
}
