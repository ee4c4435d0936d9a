import { DomainState, PausedReason, type DomainStateAndReason } from '@mainstay/libvirt-rpc'

import type { InstanceState } from '../compute.ts'

/** What libvirt's state of a domain is in Nova's words; `unknown` for one that we do not know. */
export function instanceStateOf({ state }: Pick<DomainStateAndReason, 'state'>): InstanceState {
  switch (state) {
    case DomainState.RUNNING:
    case DomainState.BLOCKED:
    // On its way down, but still writing to its disks.
    case DomainState.SHUTDOWN:
      return 'active'
    case DomainState.PAUSED:
      return 'paused'
    case DomainState.SHUTOFF:
      return 'stopped'
    case DomainState.CRASHED:
      return 'error'
    case DomainState.PMSUSPENDED:
      return 'suspended'
    default:
      return 'unknown'
  }
}

/** Whether a process of the guest exists, so that a second one would destroy its disks. What is unknown counts. */
export function hasProcess({ state }: Pick<DomainStateAndReason, 'state'>): boolean {
  return state !== DomainState.SHUTOFF
}

/** Whether the guest executes, so that two of them is an accident and no migration. */
export function executes({ state }: Pick<DomainStateAndReason, 'state'>): boolean {
  return state === DomainState.RUNNING || state === DomainState.BLOCKED
}

const CREATED_PAUSED: ReadonlySet<number> = new Set([
  PausedReason.USER,
  // While libvirt is still about it: what is asked of it then waits for that.
  PausedReason.STARTING_UP,
  // Restored from a managed save.
  PausedReason.MIGRATION,
])

/** Whether it stands still as one does that was created paused, and not by a fault or a snapshot. Source: libvirt 9, QEMU driver. */
export function looksCreatedPaused({ state, reason }: DomainStateAndReason): boolean {
  return state === DomainState.PAUSED && CREATED_PAUSED.has(reason)
}
