import { DomainState, PausedReason, ShutoffReason, type DomainStateAndReason } from '@mainstay/libvirt-rpc'

import type { MachineStatus } from '../provider.ts'

/** Why a guest that is off is not merely off: its process died, or could not be started. */
const BROKEN_OFF: ReadonlySet<number> = new Set([ShutoffReason.CRASHED, ShutoffReason.FAILED])

/** Why a guest that stands still will not go on by itself. */
const BROKEN_PAUSED: ReadonlySet<number> = new Set([
  PausedReason.IOERROR,
  PausedReason.CRASHED,
  PausedReason.POSTCOPY_FAILED,
])

export function machineStatus({ state, reason }: DomainStateAndReason): MachineStatus {
  switch (state) {
    case DomainState.RUNNING:
    case DomainState.BLOCKED:
      return 'running'
    case DomainState.SHUTOFF:
      return BROKEN_OFF.has(reason) ? 'error' : 'stopped'
    case DomainState.CRASHED:
      return 'error'
    case DomainState.PAUSED:
      if (reason === PausedReason.STARTING_UP) return 'building'
      return BROKEN_PAUSED.has(reason) ? 'error' : 'unknown'
    default:
      return 'unknown'
  }
}
