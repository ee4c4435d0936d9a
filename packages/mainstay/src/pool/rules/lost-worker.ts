/** What the rule looks at. Times in seconds. */
export interface WorkedVm {
  readonly state: string
  readonly inUseSince: number | null
  /** The process id of the worker, or the text `None` while it has not said it. */
  readonly worker: string | null
}

/** How long a worker may take to say its process id, in seconds. */
export const WORKER_START_S = 60

/**
 * Whether it has to be looked at if a machine's worker still lives: the machine is in use, and its worker had time to
 * say who it is.
 *
 * Source: vm-pool.md A6.6.
 */
export function isWorkerDoubtful({ state, inUseSince, worker }: WorkedVm, now: number): boolean {
  if (state !== 'in_use' || inUseSince === null || worker === null) return false
  return worker !== 'None' || now - inUseSince >= WORKER_START_S
}
