import { describeDomainState, type DomainStateAndReason } from '@mainstay/libvirt-rpc'

import { openMove, type GuestRecord } from './guest-record.ts'
import { endOf } from './interrupted.ts'

/** What a host that answers shows of a guest that the inventory places there, once nothing there has a process. */
export interface Shown {
  /** Undefined for a guest that its libvirtd does not know. */
  readonly state: DomainStateAndReason | undefined
  /** Whether this fence has just ended it. */
  readonly destroyed: boolean
  /** What the host's processors have spent since it booted, in ms, or undefined where it does not tell. */
  readonly hostCpuTimeMs: number | undefined
}

export type Account =
  /** It did not run there, so there is nothing to prove. */
  | { readonly is: 'idle' }
  | { readonly is: 'gone'; readonly saw: string }
  /** A QEMU that libvirtd has lost may still run it. */
  | { readonly is: 'unaccounted' }

/**
 * Whether it was *seen* that a guest which ran on a host has no process there any more. Pure.
 *
 * That libvirtd does not show it running is not enough: a libvirtd that lost what it keeps of its running guests, or that was
 * given another folder for it, knows nothing of QEMUs that live on. So one of these must be seen:
 *
 * - it was destroyed by this fence, or libvirtd saw it end: the reason for which it is shut off says so;
 * - the host has booted since it ran, which no process outlives: its processors have spent less time since the boot than
 *   they had when the guest was last seen running. libvirt's protocol tells no time of the boot, and a clock can be wrong;
 *   a counter that begins anew can only have begun anew.
 *
 * Source: goals.md, safety principles 1 and 2.
 */
export function accountFor(record: GuestRecord, { state, destroyed, hostCpuTimeMs }: Shown): Account {
  const guest = `guest ${record.uuid} (${record.name})`
  if (destroyed) return { is: 'gone', saw: `${guest} was destroyed and is not among the running guests` }
  if (!mayRun(record)) return { is: 'idle' }
  const end = state === undefined ? 'unexplained' : endOf(state)
  if (state !== undefined && (end === 'deliberate' || end === 'broken')) {
    return { is: 'gone', saw: `${guest} is ${describeDomainState(state)}` }
  }
  if (end === 'runs') return { is: 'unaccounted' }
  if (record.runAgain?.endSeen === true) return { is: 'gone', saw: `${guest} was seen to end before` }
  const before = record.ranAtHostCpuTimeMs
  if (before !== null && hostCpuTimeMs !== undefined && hostCpuTimeMs < before) {
    return {
      is: 'gone',
      saw: `the host has booted since ${guest} ran: its processors count ${hostCpuTimeMs} ms, and ${before} ms then`,
    }
  }
  return { is: 'unaccounted' }
}

function mayRun(record: GuestRecord): boolean {
  // On its way here: a call that was never answered may have started it.
  const move = openMove(record)
  if (move !== undefined) return move.run
  return record.state !== 'stopped' || record.fencedAt !== null || record.runAgain !== null
}
