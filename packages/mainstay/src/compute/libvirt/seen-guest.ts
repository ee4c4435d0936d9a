import type { DomainStateAndReason } from '@mainstay/libvirt-rpc'

import { describeDomain } from './domain-description.ts'
import type { GuestRecord } from './guest-record.ts'
import { hasProcess, instanceStateOf } from './instance-state.ts'
import type { CallBounds, LibvirtHost } from './libvirt-host.ts'

/** A guest as its host shows it. */
export interface SeenGuest {
  readonly state: DomainStateAndReason
  readonly xml: string
}

/** Asks a host for a guest; undefined when the host does not have it. */
export async function seeGuest(host: LibvirtHost, uuid: string, bounds: CallBounds): Promise<SeenGuest | undefined> {
  const state = await host.guestState(uuid, bounds)
  if (state === undefined) return undefined
  const xml = await host.guestXml(uuid, bounds)
  return xml === undefined ? undefined : { state, xml }
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
    fencedAt: running && at > (before?.fencedAt ?? 0) ? null : (before?.fencedAt ?? null),
    seenAt: at,
  }
}

/** Whether two records say the same, but for when. */
export function sameRecord(a: GuestRecord, b: GuestRecord): boolean {
  const moved = (record: GuestRecord): string => record.moves.map(({ key, done }) => `${key} ${done}`).join()
  return (
    a.host === b.host &&
    a.state === b.state &&
    a.name === b.name &&
    a.xml === b.xml &&
    a.regardedAsError === b.regardedAsError &&
    a.fencedAt === b.fencedAt &&
    moved(a) === moved(b)
  )
}
