/**
 * The states of a machine in the compatible pool, as they are stored.
 *
 *   (none) ──vm_spawned──▶ got_ip
 *   got_ip, ready, check_health_failed ──check starts──▶ check_health
 *   check_health ──OK──▶ ready            check_health ──failed, or given up──▶ check_health_failed
 *   ready ──acquire──▶ in_use             in_use ──release──▶ ready, or check_health_failed after failures in use
 *   any but terminating ──▶ terminating   terminating ──asked again──▶ terminating ──confirmed──▶ (removed)
 *
 * A check of a machine in use leaves its state alone. Each arrow is one script in `lua/`; nothing else writes a state. A
 * spawn under way has no state: it is a counted job of the spawner.
 *
 * Source: vm-pool.md A1, A4.
 */
export const VM_STATES = {
  GOT_IP: 'got_ip',
  CHECK_HEALTH: 'check_health',
  CHECK_HEALTH_FAILED: 'check_health_failed',
  READY: 'ready',
  IN_USE: 'in_use',
  TERMINATING: 'terminating',
} as const

export type VmState = (typeof VM_STATES)[keyof typeof VM_STATES]
