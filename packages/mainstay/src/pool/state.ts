/**
 * The states of a machine in the pool.
 *
 *   requested ──▶ building ──▶ got_ip ──▶ check_health ◀──▶ check_health_failed
 *       │            │                    │    ▲
 *       └── failed ──┴──▶ (removed)       ▼    │
 *                        standby ◀──── ready ──┴──▶ in_use ──▶ resetting
 *                        starting                     │
 *                                                     ▼
 *              any but terminating ──▶ terminating ──▶ (removed)         held, drained: idle, not handed out
 *
 * - `requested`: to be spawned, written down before the provider is asked
 * - `building`: the provider has taken the request
 * - `got_ip`: it has an address and was never checked
 * - `check_health`: a check is under way; a machine in use is checked without leaving `in_use`
 * - `check_health_failed`: the last check failed or was given up
 * - `ready`: may be handed out
 * - `in_use`: a worker holds a lease on it
 * - `resetting`: used, being made clean again
 * - `held`: kept as it is for somebody who looks into a failure
 * - `drained`: idle, never handed out again unless undrained
 * - `standby`: stopped, starts faster than a new one is made
 * - `starting`: on its way from `standby`
 * - `terminating`: to be destroyed; the record stays until that is confirmed
 * - `stuck`: its destruction failed so often that a person has to look; counts against nobody's limit (C10)
 *
 * Invariants: a machine has a lease exactly while it is `in_use`; it leaves the pool only from `terminating`, or when its
 * spawn failed, or when the provider says that it is gone.
 *
 * Source: vm-pool.md A1, C6, C8, C12, C17.
 */
export const VM_STATES = [
  'requested',
  'building',
  'got_ip',
  'check_health',
  'check_health_failed',
  'ready',
  'in_use',
  'resetting',
  'held',
  'drained',
  'standby',
  'starting',
  'terminating',
  'stuck',
] as const

export type VmState = (typeof VM_STATES)[number]

/** On their way to being ready for the first time, or again. */
export const ARRIVING_STATES: readonly VmState[] = ['requested', 'building', 'starting', 'got_ip', 'check_health']

/** To be destroyed. */
export const ENDING_STATES: readonly VmState[] = ['terminating', 'stuck']

/** Counted against a group's maximum (vm-pool.md A1). */
export const ACTIVE_STATES: readonly VmState[] = VM_STATES.filter((state) => !ENDING_STATES.includes(state))

/** Nobody works in them, and they may be taken away. */
export const IDLE_STATES: readonly VmState[] = [
  'got_ip',
  'check_health',
  'check_health_failed',
  'ready',
  'held',
  'drained',
  'standby',
]

/**
 * Which transitions may start in which states. What a transition leads to is in its own file, because it depends on more
 * than the state.
 */
export const ALLOWED_FROM = {
  building: ['requested', 'building'],
  spawned: ['requested', 'building', 'starting'],
  spawnFailed: ['requested', 'building', 'starting'],
  acquire: ['ready'],
  heartbeat: ['in_use'],
  release: ['in_use'],
  reattach: ['in_use'],
  reclaim: ['in_use'],
  startCheck: ['got_ip', 'ready', 'in_use', 'check_health_failed'],
  checkPassed: ['check_health', 'in_use'],
  checkFailed: ['check_health', 'in_use'],
  checkGivenUp: ['check_health'],
  checkNotLaunched: ['check_health', 'in_use'],
  resetDone: ['resetting'],
  hold: ['got_ip', 'check_health', 'check_health_failed', 'ready', 'in_use', 'held', 'drained'],
  unhold: ['in_use', 'held'],
  drain: ACTIVE_STATES,
  undrain: ACTIVE_STATES,
  standBy: ['ready', 'got_ip', 'check_health_failed'],
  wake: ['standby'],
  terminate: VM_STATES,
  markStuck: ['terminating'],
  terminationAsked: ['terminating'],
  remove: ['terminating', 'stuck'],
} as const satisfies Record<string, readonly VmState[]>

export type VmTransition = keyof typeof ALLOWED_FROM

/** Whether a transition may start in a state. */
export function mayStart(transition: VmTransition, state: VmState): boolean {
  return (ALLOWED_FROM[transition] as readonly VmState[]).includes(state)
}

export function isVmState(text: unknown): text is VmState {
  return VM_STATES.some((state) => state === text)
}
