import { DomainState, ShutoffReason, type DomainStateAndReason } from '@mainstay/libvirt-rpc'

import type { GuestRecord, RunAgain } from './guest-record.ts'
import { isMoving } from './guest-record.ts'
import { hasProcess } from './instance-state.ts'

/**
 * How a guest came to have no process, by what its host says:
 *
 * - `deliberate`: somebody, or the guest itself, ended it.
 * - `broken`: libvirtd saw its process end by itself.
 * - `unexplained`: libvirtd does not know. So it is after the host crashed and booted, and after libvirtd lost what it
 *   keeps while it runs: then the process may even still be there.
 */
export type GuestEnd = 'runs' | 'deliberate' | 'broken' | 'unexplained'

const ENDS: ReadonlyMap<number, GuestEnd> = new Map([
  [ShutoffReason.SHUTDOWN, 'deliberate'],
  [ShutoffReason.DESTROYED, 'deliberate'],
  [ShutoffReason.MIGRATED, 'deliberate'],
  [ShutoffReason.SAVED, 'deliberate'],
  [ShutoffReason.FROM_SNAPSHOT, 'deliberate'],
  [ShutoffReason.CRASHED, 'broken'],
  [ShutoffReason.FAILED, 'broken'],
  [ShutoffReason.DAEMON, 'broken'],
])

/** Pure. A reason that a newer libvirt has is unexplained. Source: `virDomainShutoffReason`. */
export function endOf(seen: DomainStateAndReason): GuestEnd {
  if (hasProcess(seen)) return 'runs'
  return (seen.state === DomainState.SHUTOFF ? ENDS.get(seen.reason) : undefined) ?? 'unexplained'
}

/**
 * Whether a guest that has no process is to run again, because it ran when it was last seen and nobody stopped it. Pure.
 *
 * So it stays until it is seen running, or stopped by somebody: a host that crashed and booted again shows its guests shut
 * off, which says nothing of what they were doing.
 *
 * @param before what was kept, or undefined for a guest that is new
 * @param at when the host was asked, in milliseconds since the Unix epoch
 */
export function runAgainAfter(
  before: GuestRecord | undefined,
  seen: DomainStateAndReason,
  at: number,
): RunAgain | null {
  const end = endOf(seen)
  if (before === undefined || end === 'runs') return null
  // It was stopped to fence its host, which is nobody's wish that it be off.
  if (end === 'deliberate') return before.fencedAt === null ? null : before.runAgain
  const endSeen = end === 'broken'
  if (before.runAgain !== null) return { ...before.runAgain, endSeen: before.runAgain.endSeen || endSeen }
  // On its way to this host it has not run here yet; the claim tells what it is to be.
  return before.state === 'stopped' || isMoving(before) ? null : { since: at, endSeen }
}
