import {
  DomainStartFlag,
  DomainState,
  LibvirtError,
  LibvirtErrorCode,
  PausedReason,
  type DomainStateAndReason,
} from '@mainstay/libvirt-rpc'

import type { Clock } from '../../core/clock.ts'
import { errorMessage, isRetryable } from '../../core/errors.ts'
import { InstanceRefusedError, InstanceStateError } from '../errors.ts'
import { isMoving, type GuestRecord } from './guest-record.ts'
import { judgeStart, type StartedGuest } from './judge-start.ts'
import { executes, looksCreatedPaused } from './instance-state.ts'
import { isHalfStarted } from './instance-view.ts'
import type { Inventory } from './inventory.ts'
import { byUuid, type CallBounds, type LibvirtHost } from './libvirt-host.ts'
import { refusalsOf } from './refusals.ts'

export interface GuestStartServices {
  readonly clock: Clock
  readonly inventory: Inventory
  readonly host: LibvirtHost
  readonly actTimeoutMs: number
}

/** A start that is under way: the guest, and the mark by which the inventory knows it. */
interface Start {
  readonly record: GuestRecord
  readonly since: number
}

/**
 * Starts a guest where it is. The caller holds the guest's mutex.
 *
 *   stopped ──mark──▶ created, paused ──its place is here, the mark is ours──▶ resumed, mark off
 *                            └──somebody has begun to move it──▶ destroyed
 *
 * Whoever restarts it elsewhere claims it first and looks at the hosts that answer then. This process may be paused at any
 * line, and wake up when its host has been fenced and left. So the guest does not execute before its place was looked at
 * once more: a copy that was created before the claim is seen by the other, which does nothing then; one that was created
 * later sees the claim.
 *
 * A start that ends in between leaves the guest marked and paused, which counts as stopped (`presentState`): the next start,
 * by a repeat of the step or the recovery's next attempt, goes on from there.
 *
 * @throws InstanceStateError when the guest is somebody else's to start, InstanceRefusedError, ComputeUnavailableError
 */
export async function startHere(
  services: GuestStartServices,
  record: GuestRecord,
  { live, signal }: { live: DomainStateAndReason; signal: AbortSignal },
): Promise<void> {
  const { inventory, actTimeoutMs } = services
  const bounds = { signal, timeoutMs: actTimeoutMs }
  const left = isHalfStarted(record, live) ? record.startingSince : null
  const start = { record, since: left ?? (await mark(services, record)) }
  if (left === null) await createPaused(services, start, bounds)
  const verdict = judgeStart(startedGuest(await inventory.find(record.uuid), start, { created: left === null }))
  if (verdict.act === 'give up') {
    const refusal = REFUSALS[verdict.because](record)
    if (verdict.takeAway !== 'none') {
      await orCopyLeft(takeAway(services, record, { evenIfItRuns: verdict.takeAway === 'any' }), refusal, record)
    }
    throw refusal
  }
  try {
    await letRun(services, start, bounds)
  } catch (error) {
    // As if the creation had been refused, which is what a lock manager means by it.
    if (error instanceof InstanceRefusedError && left === null)
      await takeNewAway(services, start, { bounds, because: error })
    throw error
  }
  const running = { state: 'active', fencedAt: null, runAgain: null, startingSince: null } as const
  await inventory.change(record.uuid, (kept) => (isOwn(kept, start) ? { ...kept, ...running } : undefined))
}

function startedGuest(
  now: GuestRecord | undefined,
  { record, since }: Start,
  { created }: { created: boolean },
): StartedGuest {
  if (!isPlace(now, record)) return { place: 'elsewhere', mark: 'off', created }
  const mark = now.startingSince === since ? 'ours' : now.startingSince === null ? 'off' : 'another'
  return { place: 'here', mark, created }
}

/** @throws InstanceStateError when somebody has begun to restart the guest elsewhere */
async function mark({ clock, inventory }: GuestStartServices, record: GuestRecord): Promise<number> {
  const since = clock.now()
  const marked = await inventory.change(record.uuid, (now) =>
    isPlace(now, record) ? { ...now, startingSince: since } : undefined,
  )
  if (marked === undefined) throw movedMeanwhile(record)
  return since
}

async function createPaused({ inventory, host }: GuestStartServices, start: Start, bounds: CallBounds): Promise<void> {
  const { record } = start
  const creating = host.call(`start guest ${record.uuid}`, bounds, async (connection, options) => {
    return await connection.create(byUuid(record.uuid), { ...options, flags: DomainStartFlag.PAUSED })
  })
  try {
    await refusalsOf({ guest: record, host: host.name, what: 'started' }, creating)
  } catch (error) {
    if (!(error instanceof InstanceRefusedError) && !(error instanceof InstanceStateError)) throw error
    // What it refused it has not created; but an earlier call of ours, which was given up, may have.
    const seen = await host.guestState(record.uuid, bounds)
    if (seen !== undefined && looksCreatedPaused(seen)) return
    await unmark(inventory, start)
    throw error
  }
}

async function letRun({ host }: GuestStartServices, { record }: Start, bounds: CallBounds): Promise<void> {
  const resuming = host.call(`let guest ${record.uuid} run`, bounds, async (connection, options) => {
    await connection.resume(byUuid(record.uuid), options)
  })
  try {
    await refusalsOf({ guest: record, host: host.name, what: 'let run' }, resuming)
  } catch (error) {
    if (!(error instanceof InstanceStateError)) throw error
    // An earlier call of ours that was given up may have been heard after all.
    const seen = await host.guestState(record.uuid, bounds)
    if (seen === undefined || !executes(seen)) throw error
  }
}

/** Takes the copy away, also when whoever asked for the start has given up. */
async function takeAway(
  { host, actTimeoutMs }: GuestStartServices,
  record: GuestRecord,
  { evenIfItRuns }: { evenIfItRuns: boolean },
): Promise<void> {
  const bounds = { signal: new AbortController().signal, timeoutMs: actTimeoutMs }
  const seen = await host.guestState(record.uuid, bounds)
  if (seen === undefined || (executes(seen) && !evenIfItRuns)) return
  const destroying = host.call(`destroy guest ${record.uuid}`, bounds, async (connection, options) => {
    try {
      await connection.destroy(byUuid(record.uuid), options)
    } catch (error) {
      if (!(error instanceof LibvirtError && error.code === LibvirtErrorCode.OPERATION_INVALID)) throw error
    }
  })
  await refusalsOf({ guest: record, host: host.name, what: 'stopped' }, destroying)
}

/** Takes away what was created anew. One that was restored from a managed save has its memory nowhere else: it stays. */
async function takeNewAway(
  services: GuestStartServices,
  start: Start,
  { bounds, because }: { bounds: CallBounds; because: InstanceRefusedError },
): Promise<void> {
  const seen = await services.host.guestState(start.record.uuid, bounds)
  if (seen?.state !== DomainState.PAUSED || seen.reason !== PausedReason.USER) return
  await orCopyLeft(takeAway(services, start.record, { evenIfItRuns: false }), because, start.record)
  await unmark(services.inventory, start)
}

async function unmark(inventory: Inventory, start: Start): Promise<void> {
  await inventory.change(start.record.uuid, (now) => (isOwn(now, start) ? { ...now, startingSince: null } : undefined))
}

function isPlace(now: GuestRecord | undefined, { host }: GuestRecord): now is GuestRecord {
  return now !== undefined && now.host === host && !isMoving(now)
}

function isOwn(now: GuestRecord | undefined, { record, since }: Start): now is GuestRecord {
  return isPlace(now, record) && now.startingSince === since
}

function movedMeanwhile({ uuid, name, host }: GuestRecord): InstanceStateError {
  return new InstanceStateError(
    `Guest ${uuid} (${name}) was not started on host ${host}: somebody else has begun to move it. ` +
      `See what becomes of it with "mainstay recovery list".`,
  )
}

function takenOver({ uuid, name, host }: GuestRecord): InstanceStateError {
  return new InstanceStateError(
    `Guest ${uuid} (${name}) was not let run on host ${host}: meanwhile somebody else has started or stopped it. ` +
      `Ask for its state again.`,
  )
}

const REFUSALS = { moved: movedMeanwhile, 'taken over': takenOver }

/** What was refused stays told when libvirt refuses to take the copy away as well. What passes is tried again. */
async function orCopyLeft(
  taking: Promise<void>,
  refusal: InstanceStateError | InstanceRefusedError,
  { uuid, host }: GuestRecord,
): Promise<void> {
  try {
    await taking
  } catch (error) {
    if (isRetryable(error)) throw error
    const Same = refusal instanceof InstanceRefusedError ? InstanceRefusedError : InstanceStateError
    throw new Same(
      `${refusal.message} What was created on host ${host} could not be taken away (${errorMessage(error)}): look at it ` +
        `with "virsh domstate ${uuid} --reason" there, and if it is paused, "virsh destroy ${uuid}".`,
      { cause: error },
    )
  }
}
