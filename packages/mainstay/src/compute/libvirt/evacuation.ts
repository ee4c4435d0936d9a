import type { Clock } from '../../core/clock.ts'
import type { Acting, HostName } from '../compute.ts'
import {
  CapacityError,
  HostNotFoundError,
  InstanceBoundError,
  InstanceNotFoundError,
  InstanceRefusedError,
  InstanceStateError,
} from '../errors.ts'
import { requireCertificate, type FenceCertificate } from '../fence-certificate.ts'
import { freeMemoryMib } from './free-memory.ts'
import type { GuestFacts } from './guest-facts.ts'
import { claimedBy, type GuestRecord, type RecordedMove } from './guest-record.ts'
import { hasProcess } from './instance-state.ts'
import type { Inventory } from './inventory.ts'
import { undefineGuest } from './inventory-keeper.ts'
import type { KeyedMutex } from './keyed-mutex.ts'
import { byUuid, type CallBounds, type LibvirtHost } from './libvirt-host.ts'
import { refusalsOf } from './refusals.ts'
import { refuseWhileRunning } from './seen-running.ts'

export interface EvacuationServices {
  readonly clock: Clock
  readonly inventory: Inventory
  readonly hosts: ReadonlyMap<HostName, LibvirtHost>
  /** Held for the target while room on it is counted and taken. */
  readonly hostMutex: KeyedMutex
  readonly factsOf: (record: GuestRecord) => GuestFacts
  /** Room taken on a host by restarts that have not started their guest yet, in MiB. */
  readonly taken: Map<string, { readonly host: HostName; readonly memoryMib: number }>
  readonly reservedMemoryMib: number
  readonly actTimeoutMs: number
}

export interface EvacuationRequest {
  readonly instance: string
  readonly target: HostName | undefined
  readonly certificate: FenceCertificate
}

/**
 * Restarts a guest of a dead host on another. The caller holds the guest's mutex.
 *
 *   at the source ──claim──▶ moving ──define, create──▶ done, at the target
 *                    ▲          │
 *                    └─refused──┘
 *
 * The claim is one conditional write to the inventory: it names the target and the key of the act, beside the only XML
 * there is. Whoever comes second finds the guest's place changed. A process that dies while moving leaves the claim; the same
 * act, repeated with the same key, finds it, looks at the target, and does what is missing.
 *
 * Invariant: a guest is created on a host only while the inventory says that this host is its place.
 */
export async function evacuateGuest(
  services: EvacuationServices,
  request: EvacuationRequest,
  { key, signal }: Acting,
): Promise<void> {
  const { inventory, clock, hosts } = services
  const record = await inventory.find(request.instance)
  if (record === undefined) throw new InstanceNotFoundError(request.instance)
  const repeated = record.moves.find((move) => move.key === key)
  if (repeated !== undefined) {
    if (!repeated.done) await carryOut(services, record, repeated, { signal })
    return
  }
  requireCertificate(request.certificate, record.host, clock.now())
  await refuseWhileRunning(record, [...hosts.values()], { signal })
  const facts = services.factsOf(record)
  if (facts.boundBecause !== null) {
    throw new InstanceBoundError(
      `Guest ${record.uuid} (${record.name}) cannot run on another host: ${facts.boundBecause} Repair host ${record.host}.`,
    )
  }
  const target = requireTarget(request.target, record, hosts)
  const move: RecordedMove = {
    key,
    source: record.host,
    target: target.name,
    startedAt: clock.now(),
    run: record.fencedAt !== null || record.regardedAsError || record.state !== 'stopped',
    done: false,
    sourceCleared: false,
  }
  try {
    await services.hostMutex.run(target.name, async () => {
      await requireRoom(services, target, facts, { signal })
      services.taken.set(record.uuid, { host: target.name, memoryMib: facts.memoryMib })
      const claim = (now: GuestRecord | undefined) => (now?.host === record.host ? claimedBy(now, move) : undefined)
      if ((await inventory.change(record.uuid, claim)) === undefined) throw movedMeanwhile(record)
    })
    await carryOut(services, record, move, { signal })
  } finally {
    services.taken.delete(record.uuid)
  }
}

/** Does what is still missing of a claimed move; safe to repeat. */
async function carryOut(
  services: EvacuationServices,
  record: GuestRecord,
  move: RecordedMove,
  { signal }: CallBounds,
): Promise<void> {
  const { inventory, hosts, clock, actTimeoutMs } = services
  const target = hosts.get(move.target)
  if (target === undefined) throw new HostNotFoundError(move.target)
  const bounds = { signal, timeoutMs: actTimeoutMs }
  try {
    await bringUp(target, record, move, bounds)
  } catch (error) {
    if (!(error instanceof InstanceRefusedError)) throw error
    await giveBack(services, target, record, move, bounds)
    throw error
  }
  const state = move.run ? 'active' : 'stopped'
  await inventory.change(record.uuid, (now) => {
    if (now?.host !== move.target) return undefined
    const moves = now.moves.map((each) => (each.key === move.key ? { ...each, done: true } : each))
    return { ...now, state, moves, seenAt: clock.now() }
  })
}

async function bringUp(
  target: LibvirtHost,
  record: GuestRecord,
  { run }: RecordedMove,
  bounds: CallBounds,
): Promise<void> {
  const refusal = { guest: record, host: target.name }
  const before = await target.guestState(record.uuid, bounds)
  if (before !== undefined && hasProcess(before)) return
  // Also over a definition that somebody left there: it may be older than the guest.
  const defining = target.call(`define guest ${record.uuid}`, bounds, async (connection, options) => {
    return await connection.defineXml(record.xml, options)
  })
  await refusalsOf({ ...refusal, what: 'defined' }, defining)
  if (!run) return
  const creating = target.call(`start guest ${record.uuid}`, bounds, async (connection, options) => {
    return await connection.create(byUuid(record.uuid), options)
  })
  await refusalsOf({ ...refusal, what: 'started' }, creating)
}

/** The target refused the guest: its place is the source again, as if nothing had been tried. */
async function giveBack(
  { inventory }: EvacuationServices,
  target: LibvirtHost,
  record: GuestRecord,
  move: RecordedMove,
  bounds: CallBounds,
): Promise<void> {
  const state = await target.guestState(record.uuid, bounds)
  if (state !== undefined && hasProcess(state)) return
  await undefineGuest(target, record.uuid, bounds)
  await inventory.change(record.uuid, (now) => {
    if (now?.host !== move.target) return undefined
    const moves = now.moves.filter(({ key }) => key !== move.key)
    // What it was before the claim; after a crash only the claim tells whether it is to run.
    const fencedAt = record.fencedAt ?? (move.run && now.state === 'stopped' ? move.startedAt : null)
    return { ...now, host: move.source, moves, fencedAt, regardedAsError: record.regardedAsError }
  })
}

function requireTarget(
  name: HostName | undefined,
  record: GuestRecord,
  hosts: ReadonlyMap<HostName, LibvirtHost>,
): LibvirtHost {
  const what = `Guest ${record.uuid} (${record.name}) cannot be restarted`
  if (name === undefined) throw new CapacityError(`${what}: libvirt does not choose a host by itself, so name one.`)
  const target = hosts.get(name)
  if (target === undefined) throw new HostNotFoundError(name)
  if (name === record.host) throw new CapacityError(`${what} on host ${name}: that is the host it is to leave.`)
  if (target.state !== 'up') throw new CapacityError(`${what} on host ${name}: its libvirtd does not answer.`)
  if (target.disabledReason !== null) {
    throw new CapacityError(`${what} on host ${name}: it is disabled (${target.disabledReason}).`)
  }
  return target
}

async function requireRoom(
  { taken, reservedMemoryMib }: EvacuationServices,
  target: LibvirtHost,
  { uuid, name, memoryMib }: GuestFacts,
  bounds: CallBounds,
): Promise<void> {
  let freeMib = await freeMemoryMib(target, { reservedMemoryMib }, bounds)
  for (const each of taken.values()) if (each.host === target.name) freeMib -= each.memoryMib
  if (freeMib >= memoryMib) return
  throw new CapacityError(
    `Guest ${uuid} (${name}) needs ${memoryMib} MiB and host ${target.name} has ${freeMib} MiB free. ` +
      `Free memory there or choose another host.`,
  )
}

function movedMeanwhile({ uuid, name, host }: GuestRecord): InstanceStateError {
  return new InstanceStateError(
    `Guest ${uuid} (${name}) is not at host ${host} any more: somebody else has moved it meanwhile. Look where it is.`,
  )
}
