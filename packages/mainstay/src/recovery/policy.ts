/** How recovery behaves. Names in parentheses are those of masakari.conf (ha-api.md 21). */
export interface RecoveryPolicy {
  /** Whether guests without the HA mark are evacuated too (`evacuate_all_instances`). */
  readonly evacuateAllInstances: boolean
  /** Whether guests in state error are left alone (`ignore_instances_in_error_state`). */
  readonly ignoreInstancesInErrorState: boolean
  /** The metadata key that marks a guest of a failed host (`host_failure.ha_enabled_instance_metadata_key`). */
  readonly hostHaMetadataKey: string
  /** The metadata key that marks a guest that failed by itself (`instance_failure.ha_enabled_instance_metadata_key`). */
  readonly instanceHaMetadataKey: string
  /** Whether guests without the HA mark are restarted too (`process_all_instances`). */
  readonly processAllInstances: boolean
  /**
   * Guests of one host that are evacuated at the same time (`host_failure_recovery_threads`). Masakari's 3 makes a host
   * with 100 guests take a quarter of an hour, because a guest is counted until it runs elsewhere. Here all guests of a
   * usual host are asked for at once, as vSphere HA does with 32 for each surviving host.
   */
  readonly evacuationsAtOnce: number
  /** `host_failure.service_disable_reason`. */
  readonly hostFailedReason: string
  /** `process_failure.service_disable_reason`. */
  readonly processFailedReason: string
  /** How often a guest is looked at where the platform does not tell of changes (`verify_interval`). */
  readonly pollMs: number
  /** How long a guest may take to run on its new host (`wait_period_after_evacuation`). */
  readonly evacuationTimeoutMs: number
  /** How long a guest may take to stop (`wait_period_after_power_off`). */
  readonly powerOffTimeoutMs: number
  /** How long a guest may take to start (`wait_period_after_power_on`). */
  readonly powerOnTimeoutMs: number
  /** How long the platform may take to know that a host is out of service (`wait_period_after_service_update`). */
  readonly serviceUpdateTimeoutMs: number
  /** How long one request to the platform may take. */
  readonly requestTimeoutMs: number
  /** How often a request is made to a platform that is busy or silent, the first time counted. */
  readonly requestAttempts: number
  /** The first pause between such requests; it doubles. */
  readonly requestRetryMinMs: number
  /** The longest such pause. */
  readonly requestRetryMaxMs: number
  /** After what pause a failed recovery is tried once more (`process_unfinished_notifications_interval`). */
  readonly retryAfterMs: number
  /** How often a recovery is tried in all. Masakari: 2. */
  readonly attempts: number
  /** How long one fence method may take, proof included. */
  readonly fenceTimeoutMs: number
  /** How long a proof of death is acted upon before the host is looked at again. */
  readonly fenceValidityMs: number
  /** How long a recovery waits for a person before it is given up (`notifications_expired_interval`). */
  readonly holdTimeoutMs: number
  /** After what pause a held recovery looks again by itself whether its host can be proved dead; it doubles. */
  readonly lookAgainMs: number
  /** The longest such pause. */
  readonly lookAgainMaxMs: number
}

export const DEFAULT_POLICY: RecoveryPolicy = {
  evacuateAllInstances: true,
  ignoreInstancesInErrorState: false,
  hostHaMetadataKey: 'HA_Enabled',
  instanceHaMetadataKey: 'HA_Enabled',
  processAllInstances: false,
  evacuationsAtOnce: 128,
  hostFailedReason: 'Masakari detected host failed.',
  processFailedReason: 'Masakari detected process failed.',
  pollMs: 1000,
  evacuationTimeoutMs: 90_000,
  powerOffTimeoutMs: 180_000,
  powerOnTimeoutMs: 60_000,
  serviceUpdateTimeoutMs: 180_000,
  requestTimeoutMs: 30_000,
  requestAttempts: 5,
  requestRetryMinMs: 200,
  requestRetryMaxMs: 5000,
  retryAfterMs: 120_000,
  attempts: 2,
  fenceTimeoutMs: 60_000,
  fenceValidityMs: 600_000,
  holdTimeoutMs: 86_400_000,
  lookAgainMs: 5_000,
  lookAgainMaxMs: 300_000,
}
