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

/** Whether it stands still because somebody said so, and not on its way somewhere or by a fault. */
export function isPausedByCommand({ state, reason }: DomainStateAndReason): boolean {
  return state === DomainState.PAUSED && reason === PausedReason.USER
}
