/** One task of a recovery as `recovery_workflow_details` shows it. Source: ha-api.md 16. */
export interface ProgressDetail {
  /** The task's class name in the reference, for example `EvacuateInstancesTask`. */
  readonly name: string
  /** 0.0 to 1.0, the latest value. */
  readonly progress: number
  readonly state: 'PENDING' | 'RUNNING' | 'SUCCESS' | 'FAILURE' | 'REVERTING' | 'REVERTED' | 'REVERT_FAILURE'
  readonly steps: readonly ProgressStep[]
}

export interface ProgressStep {
  /** Milliseconds since the Unix epoch. */
  readonly at: number
  readonly progress: number
  readonly message: string
}
