import type { RecoveryPolicy } from '../../recovery/index.ts'
import type { Config } from './schema.ts'

/** The recovery section under the names that the rules use. */
export function recoveryPolicy({ recovery }: Config): RecoveryPolicy {
  return {
    evacuateAllInstances: recovery.evacuate_all_instances,
    ignoreInstancesInErrorState: recovery.ignore_instances_in_error_state,
    hostHaMetadataKey: recovery.host_ha_metadata_key,
    instanceHaMetadataKey: recovery.instance_ha_metadata_key,
    processAllInstances: recovery.process_all_instances,
    evacuationsAtOnce: recovery.evacuations_at_once,
    hostFailedReason: recovery.host_failed_reason,
    processFailedReason: recovery.process_failed_reason,
    pollMs: recovery.poll_ms,
    evacuationTimeoutMs: recovery.evacuation_timeout_ms,
    powerOffTimeoutMs: recovery.power_off_timeout_ms,
    powerOnTimeoutMs: recovery.power_on_timeout_ms,
    serviceUpdateTimeoutMs: recovery.service_update_timeout_ms,
    requestTimeoutMs: recovery.request_timeout_ms,
    requestAttempts: recovery.request_attempts,
    requestRetryMinMs: recovery.request_retry_min_ms,
    requestRetryMaxMs: recovery.request_retry_max_ms,
    retryAfterMs: recovery.retry_after_ms,
    attempts: recovery.attempts,
    fenceTimeoutMs: recovery.fence_timeout_ms,
    fenceValidityMs: recovery.fence_validity_ms,
    holdTimeoutMs: recovery.hold_timeout_ms,
    lookAgainMs: recovery.look_again_ms,
    lookAgainMaxMs: recovery.look_again_max_ms,
  }
}
