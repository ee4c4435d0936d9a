import { DomainStartFlag, DomainState, type DomainStateAndReason } from '@mainstay/libvirt-rpc'

import type { Clock } from '../../core/clock.ts'
import { InstanceRefusedError, InstanceStateError } from '../errors.ts'
import { isMoving, type GuestRecord } from './guest-record.ts'
import { presentState } from './instance-view.ts'
import type { Inventory } from './inventory.ts'
import { byUuid, type CallBounds, type LibvirtHost } from './libvirt-host.ts'
import { refusalsOf } from './refusals.ts'

export interface GuestStartServices {
  readonly clock: Clock
  readonly inventory: Inventory
  readonly host: LibvirtHost
}

/**
 * Starts a guest where it is. The caller holds the guest's mutex.
 *
 *   stopped ──mark──▶ created, paused ──its place is here──▶ resumed
 *                            └──somebody has begun to move it──▶ destroyed
 *
 * Whoever restarts it elsewhere claims it first and looks at all hosts then. This process may be paused at any line, and
 * wake up when its host has been fenced and left. So the guest does not execute before its place was looked at once more:
 * a copy that was created before the claim is seen by the other, which does nothing then; one that was created later sees
 * the claim. A guest that does not execute writes nothing.
 *
 * A process that dies in between leaves the guest paused, and the mark by which the next start knows it for its own work.
 *
 * @throws InstanceStateError when the guest is somebody else's to start, InstanceRefusedError, ComputeUnavailableError
 */
export async function startHere(
  services: GuestStartServices,
  record: GuestRecord,
  { live, bounds }: { live: DomainStateAndReason; bounds: CallBounds },
): Promise<void> {
  const { clock, inventory, host } = services
  if (!isLeftPaused(record, live)) {
    await requirePlace(inventory, record)
    await inventory.change(record.uuid, (now) => now && { ...now, startingSince: clock.now() })
    await createPaused(services, record, bounds)
  }
  try {
    await requirePlace(inventory, record)
  } catch (error) {
    await takeBack(services, record, bounds)
    throw error
  }
  const resuming = host.call(`let guest ${record.uuid} run`, bounds, async (connection, options) => {
    await connection.resume(byUuid(record.uuid), options)
  })
  await refusalsOf({ guest: record, host: host.name, what: 'let run' }, resuming)
  const running = { state: 'active', fencedAt: null, runAgain: null, startingSince: null } as const
  await inventory.change(record.uuid, (now) => now && { ...now, ...running })
}

/** Whether a guest can be started: it is stopped, or an earlier start of ours did not get further than its creation. */
export function canStart(record: GuestRecord, live: DomainStateAndReason): boolean {
  // A guest that was stopped only to fence its host is stopped for whoever starts it by hand.
  return presentState({ ...record, fencedAt: null }, live) === 'stopped' || isLeftPaused(record, live)
}

function isLeftPaused({ startingSince, regardedAsError }: GuestRecord, { state }: DomainStateAndReason): boolean {
  return startingSince !== null && !regardedAsError && state === DomainState.PAUSED
}

async function createPaused(
  { inventory, host }: GuestStartServices,
  record: GuestRecord,
  bounds: CallBounds,
): Promise<void> {
  const creating = host.call(`start guest ${record.uuid}`, bounds, async (connection, options) => {
    return await connection.create(byUuid(record.uuid), { ...options, flags: DomainStartFlag.PAUSED })
  })
  try {
    await refusalsOf({ guest: record, host: host.name, what: 'started' }, creating)
  } catch (error) {
    // What it refused it has not created; what was never answered it may have.
    if (error instanceof InstanceStateError || error instanceof InstanceRefusedError) await unmark(inventory, record)
    throw error
  }
}

/** @throws InstanceStateError once somebody has begun to restart the guest elsewhere */
async function requirePlace(inventory: Inventory, { uuid, name, host }: GuestRecord): Promise<void> {
  const now = await inventory.find(uuid)
  if (now !== undefined && now.host === host && !isMoving(now)) return
  throw new InstanceStateError(
    `Guest ${uuid} (${name}) was not started on host ${host}: somebody else has begun to move it. ` +
      `See what becomes of it with "mainstay recovery list".`,
  )
}

/** Takes away the copy that was created, unless it executes: then somebody else has let it run since. */
async function takeBack(
  { inventory, host }: GuestStartServices,
  record: GuestRecord,
  bounds: CallBounds,
): Promise<void> {
  if ((await host.guestState(record.uuid, bounds))?.state === DomainState.PAUSED) {
    const destroying = host.call(`destroy guest ${record.uuid}`, bounds, async (connection, options) => {
      await connection.destroy(byUuid(record.uuid), options)
    })
    await refusalsOf({ guest: record, host: host.name, what: 'stopped' }, destroying)
  }
  await unmark(inventory, record)
}

async function unmark(inventory: Inventory, { uuid }: GuestRecord): Promise<void> {
  await inventory.change(uuid, (now) => now && { ...now, startingSince: null })
}
