import { DomainState, type DomainStateAndReason } from '@mainstay/libvirt-rpc'

import type { HostName, Instance, InstanceState } from '../compute.ts'
import type { GuestFacts } from './guest-facts.ts'
import { hasReached, isMoving, openMove, type GuestRecord } from './guest-record.ts'
import { instanceStateOf, looksCreatedPaused } from './instance-state.ts'

/**
 * What is so now: `unknown` for a guest whose host does not answer, and for one that was stopped only to fence its
 * host. A state that was seen before is never given as one that is. A guest whose start ended before it was let run is
 * stopped for everybody: it has not executed yet.
 *
 * @param live what the host says now; undefined when it says nothing
 */
export function presentState(record: GuestRecord, live: DomainStateAndReason | undefined): InstanceState {
  if (record.regardedAsError) return 'error'
  if (live === undefined) return 'unknown'
  const state = isHalfStarted(record, live) ? 'stopped' : instanceStateOf(live)
  return record.fencedAt !== null && state === 'stopped' ? 'unknown' : state
}

/** Whether a start of ours has created it where it is and not let it run (`guest-start.ts`). */
export function isHalfStarted(record: GuestRecord, live: DomainStateAndReason): boolean {
  return record.startingSince !== null && !isMoving(record) && looksCreatedPaused(live)
}

/**
 * Where a guest is: where it was, while its restart elsewhere is not known to have ended. The inventory names the target
 * from the claim on, which is a promise and no place.
 *
 * @param live what the inventory's host of the guest says now
 */
export function placeOf(record: GuestRecord, live: DomainStateAndReason | undefined): HostName {
  const move = openMove(record)
  return move === undefined || hasReached(move, live) ? record.host : move.source
}

/** What it did when it was last its own master: what a plan for the guests of a dead host goes by. */
export function lastState(record: GuestRecord): InstanceState {
  if (record.regardedAsError) return 'error'
  const move = openMove(record)
  // What was seen of it since the claim is the target's half-done work; the claim tells what it is to be.
  if (move !== undefined) return move.run ? 'active' : 'stopped'
  // Seen paused while it was being started, it is to be what it was started for.
  const starting = record.startingSince !== null && record.state === 'paused'
  return record.fencedAt === null && record.runAgain === null && !starting ? record.state : 'active'
}

/** What is being done to it, in Nova's words. */
export function taskStateOf(
  record: GuestRecord,
  live: DomainStateAndReason | undefined,
  acting: string | undefined,
): string | null {
  if (isMoving(record)) return 'rebuilding'
  if (acting !== undefined) return acting
  return live?.state === DomainState.SHUTDOWN ? 'powering-off' : null
}

export function instanceView(
  record: GuestRecord,
  facts: GuestFacts,
  { host, state, taskState }: { host: HostName; state: InstanceState; taskState: string | null },
): Instance {
  const { uuid, name } = record
  const { metadata, memoryMib, vcpus, boundBecause, projectId } = facts
  return {
    uuid,
    name,
    host,
    state,
    taskState,
    locked: false,
    metadata,
    memoryMib,
    vcpus,
    boundBecause,
    projectId,
  }
}
