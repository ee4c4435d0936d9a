export { CheckNotRunError, type CheckOutcome, type CheckedVm, type HealthCheck } from './check.ts'
export { createCheck, type CheckOptions } from './create-check.ts'
