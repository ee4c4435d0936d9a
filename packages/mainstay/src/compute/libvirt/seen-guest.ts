import type { DomainStateAndReason } from '@mainstay/libvirt-rpc'

import { describeDomain } from './domain-description.ts'
import type { GuestRecord } from './guest-record.ts'
import { executes, hasProcess, instanceStateOf } from './instance-state.ts'
import { runAgainAfter } from './interrupted.ts'
import type { CallBounds, LibvirtHost } from './libvirt-host.ts'

/** A guest as its host shows it. */
export interface SeenGuest {
  readonly state: DomainStateAndReason
  readonly xml: string
  /** What the host's processors have spent since it booted, in ms; undefined where it does not tell. */
  readonly hostCpuTimeMs?: number | undefined
}

/** Asks a host for a guest; undefined when the host does not have it. */
export async function seeGuest(host: LibvirtHost, uuid: string, bounds: CallBounds): Promise<SeenGuest | undefined> {
  const state = await host.guestState(uuid, bounds)
  if (state === undefined) return undefined
  const xml = await host.guestXml(uuid, bounds)
  // Read after the state: should the host have booted in between, the lesser figure claims less.
  return xml === undefined ? undefined : { state, xml, hostCpuTimeMs: host.cpuTimeMs }
}

/**
 * What to keep of a guest that was seen on a host. Pure.
 *
 * @param before what was kept, or undefined for a guest that is new
 * @param at when the host was asked, in milliseconds since the Unix epoch: a look from before a fence undoes nothing of it
 * @throws InvalidInputError when its XML cannot be understood
 */
export function recordSeen(before: GuestRecord | undefined, host: string, seen: SeenGuest, at: number): GuestRecord {
  const { uuid, name } = describeDomain(seen.xml)
  const state = instanceStateOf(seen.state)
  const running = hasProcess(seen.state)
  const moves = (before?.moves ?? []).map((move) => ({
    ...move,
    done: move.done || (move.target === host && (running || !move.run)),
    // Where it is now, nothing is left of an earlier time.
    sourceCleared: move.sourceCleared || move.source === host,
  }))
  return {
    uuid,
    name,
    host,
    state,
    xml: seen.xml,
    moves,
    regardedAsError: before?.regardedAsError ?? false,
    runAgain: runAgainAfter(before, seen.state, at),
    // What was known of an earlier boot says nothing once it runs again.
    ranAtHostCpuTimeMs: running ? (seen.hostCpuTimeMs ?? null) : (before?.ranAtHostCpuTimeMs ?? null),
    startingSince: executes(seen.state) && at > (before?.startingSince ?? 0) ? null : (before?.startingSince ?? null),
    fencedAt: running && at > (before?.fencedAt ?? 0) ? null : (before?.fencedAt ?? null),
    seenAt: at,
  }
}

/** Whether a record that was made later says the same, but for when. */
export function sameRecord(a: GuestRecord, b: GuestRecord): boolean {
  const moved = (record: GuestRecord): string => record.moves.map(({ key, done }) => `${key} ${done}`).join()
  return (
    a.host === b.host &&
    a.state === b.state &&
    a.name === b.name &&
    a.xml === b.xml &&
    a.regardedAsError === b.regardedAsError &&
    a.fencedAt === b.fencedAt &&
    a.startingSince === b.startingSince &&
    a.runAgain?.endSeen === b.runAgain?.endSeen &&
    isCloseEnough(a.ranAtHostCpuTimeMs, b.ranAtHostCpuTimeMs) &&
    moved(a) === moved(b)
  )
}

/**
 * The figure grows all the time; it is written anew when it has doubled, so that it is never less than half of the truth,
 * and always when it has become less, which is another boot.
 */
function isCloseEnough(kept: number | null, seen: number | null): boolean {
  if (kept === null || seen === null) return kept === seen
  return seen >= kept && seen < 2 * kept
}
