import type { StopPolicy } from '../spec.ts'

/** When the steps of a stop are due, in milliseconds after the first signal. Never one before the step that it follows. */
export interface StopTimes {
  /** The signal again. */
  readonly graceMs: number
  /** SIGKILL. */
  readonly killAfterMs: number
  /** Whoever runs now cannot be ended. */
  readonly deadlineMs: number
}

const usual: StopTimes = { graceMs: 5000, killAfterMs: 7000, deadlineMs: 10_000 }
/** The kernel's time to end a process after SIGKILL, on a busy machine. */
const leastAfterKillMs = 1000

/**
 * The times of a policy. What it sets is kept; steps that it does not set come earlier in proportion when a later one is
 * set to less than usual, so that `{ killAfterMs: 500 }` kills after 500 ms and not after the usual grace.
 *
 * Source: testkit.md A5.3.
 */
export function stopTimes(policy: StopPolicy): StopTimes {
  const limitMs = policy.deadlineMs ?? Number.POSITIVE_INFINITY
  const killUnsetMs = Math.max(usual.killAfterMs * Math.min(1, limitMs / usual.deadlineMs), policy.graceMs ?? 0)
  const killAfterMs = Math.min(policy.killAfterMs ?? killUnsetMs, limitMs)
  const graceUnsetMs = usual.graceMs * Math.min(1, killAfterMs / usual.killAfterMs)
  return {
    graceMs: Math.min(policy.graceMs ?? graceUnsetMs, killAfterMs),
    killAfterMs,
    deadlineMs: Math.max(policy.deadlineMs ?? usual.deadlineMs, killAfterMs + leastAfterKillMs),
  }
}
