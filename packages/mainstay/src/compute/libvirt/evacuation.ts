import type { Clock } from '../../core/clock.ts'
import type { Acting, HostName } from '../compute.ts'
import {
  CapacityError,
  ComputeUnavailableError,
  HostNotFoundError,
  InstanceBoundError,
  InstanceNotFoundError,
  InstanceRefusedError,
  InstanceStateError,
} from '../errors.ts'
import { requireCertificate, type FenceCertificate } from '../fence-certificate.ts'
import { freeMemoryMib } from './free-memory.ts'
import type { DisabledHosts } from './disabled-hosts.ts'
import type { GuestFacts } from './guest-facts.ts'
import { claimedBy, hasReached, openMove, type GuestRecord, type RecordedMove } from './guest-record.ts'
import { hasProcess } from './instance-state.ts'
import type { Inventory } from './inventory.ts'
import { undefineGuest } from './inventory-keeper.ts'
import { judgeClaim, type Claim, type ClaimVerdict } from './judge-claim.ts'
import type { KeyedMutex } from './keyed-mutex.ts'
import { byUuid, type CallBounds, type LibvirtHost } from './libvirt-host.ts'
import { refusalsOf } from './refusals.ts'
import { refuseWhileRunning } from './seen-running.ts'

export interface EvacuationServices {
  readonly clock: Clock
  readonly inventory: Inventory
  readonly hosts: ReadonlyMap<HostName, LibvirtHost>
  readonly disabledHosts: DisabledHosts
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
 *                    ▲          ├──the target dies, is proved dead, and another act claims──▶ moving elsewhere
 *                    │          └──the target refuses──▶ withdrawn ──nothing runs there──▶ ┐
 *                    └──────────────────────────────────────────────────────────────────────┘
 *
 * The claim is one conditional write to the inventory: it names the target and the key of the act, beside the only XML
 * there is. Whoever comes second finds the guest's place changed. A process that dies while moving leaves the claim; the same
 * act, repeated with the same key and a proof that holds now, finds it, looks at the target, and does what is missing.
 *
 * An owner that was only paused may wake up in the middle of this. So a claim that is taken away is marked first, then the
 * definition is taken from its target, then the target is looked at; and whoever creates a guest defines it first, then
 * reads the mark, then creates. Whichever comes first, either the creation fails or the look shows the guest.
 *
 * Invariant: a guest is created on a host only while the inventory says that this host is its place.
 */
export async function evacuateGuest(
  services: EvacuationServices,
  request: EvacuationRequest,
  acting: Acting,
): Promise<void> {
  const { inventory, clock, hosts } = services
  const { key, signal } = acting
  const record = await inventory.find(request.instance)
  if (record === undefined) throw new InstanceNotFoundError(request.instance)
  const own = record.moves.find((move) => move.key === key)
  if (own !== undefined) {
    await carryOn(services, record, { move: own, certificate: request.certificate }, { signal })
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
  const target = await requireTarget(request.target, record, services)
  const move: RecordedMove = {
    key,
    source: record.host,
    target: target.name,
    startedAt: clock.now(),
    run: isToRun(record),
    done: false,
    sourceCleared: false,
  }
  try {
    await services.hostMutex.run(target.name, async () => {
      await requireRoom(services, target, facts, { signal })
      services.taken.set(record.uuid, { host: target.name, memoryMib: facts.memoryMib })
      const claim = (now: GuestRecord | undefined) =>
        now?.host === record.host && openMove(now)?.key === openMove(record)?.key ? claimedBy(now, move) : undefined
      if ((await inventory.change(record.uuid, claim)) === undefined) throw movedMeanwhile(record)
    })
    await carryOn(services, record, { move, certificate: request.certificate }, { signal })
  } finally {
    services.taken.delete(record.uuid)
  }
}

/** Does what is still missing of a claimed move; safe to repeat, also while an earlier owner of the act is only paused. */
async function carryOn(
  services: EvacuationServices,
  record: GuestRecord,
  { move, certificate }: { move: RecordedMove; certificate: FenceCertificate },
  { signal }: CallBounds,
): Promise<void> {
  const target = services.hosts.get(move.target)
  if (target === undefined) throw new HostNotFoundError(move.target)
  const bounds = { signal, timeoutMs: services.actTimeoutMs }
  const verdict = await judgeOwn(services, target, { record, move, refused: false }, bounds)
  if (verdict === 'refuse') throw targetSilent(record, move)
  if (verdict === 'carry on') {
    // An hour may lie between the claim and this repeat: the host that was dead may be back, with the guest running on it.
    requireCertificate(certificate, move.source, services.clock.now())
    try {
      await endElsewhere(services, target, { record, move }, bounds)
      await bringUp(services, target, { record, move }, bounds)
    } catch (error) {
      if (!(error instanceof InstanceRefusedError) && !(error instanceof InstanceStateError)) throw error
      await withdraw(services, target, { record, move, refusal: error }, bounds)
    }
  }
  await noteArrival(services, target, record.uuid, move, bounds)
}

/** What is to be done about the act's own claim now. */
async function judgeOwn(
  { inventory }: EvacuationServices,
  target: LibvirtHost,
  { record, move, refused }: { record: GuestRecord; move: RecordedMove; refused: boolean },
  bounds: CallBounds,
): Promise<ClaimVerdict> {
  const own = ownClaim(await inventory.find(record.uuid), move)
  const atTarget = own === 'open' ? await lookAtTarget(target, record.uuid, bounds) : 'no-process'
  return judgeClaim({ own, atTarget, refused })
}

/** A move that is not the latest any more was superseded, or given back: either way it is not this act's to end. */
function ownClaim(now: GuestRecord | undefined, { key }: RecordedMove): Claim['own'] {
  const latest = now?.moves.at(-1)
  if (latest?.key !== key) return 'superseded'
  return latest.done ? 'done' : 'open'
}

async function lookAtTarget(target: LibvirtHost, uuid: string, bounds: CallBounds): Promise<Claim['atTarget']> {
  try {
    const state = await target.guestState(uuid, bounds)
    return state !== undefined && hasProcess(state) ? 'process' : 'no-process'
  } catch (error) {
    if (error instanceof ComputeUnavailableError) return 'silent'
    throw error
  }
}

async function bringUp(
  { inventory }: EvacuationServices,
  target: LibvirtHost,
  { record, move }: { record: GuestRecord; move: RecordedMove },
  bounds: CallBounds,
): Promise<void> {
  const refusal = { guest: record, host: target.name }
  // What an earlier owner of this act was about to take back is wanted again.
  await inventory.change(record.uuid, (now) =>
    now !== undefined && openMove(now)?.key === move.key ? withMove(now, move.key, { withdrawn: false }) : undefined,
  )
  // Also over a definition that somebody left there: it may be older than the guest.
  const defining = target.call(`define guest ${record.uuid}`, bounds, async (connection, options) => {
    return await connection.defineXml(record.xml, options)
  })
  await refusalsOf({ ...refusal, what: 'defined' }, defining)
  if (!move.run) return
  const now = await inventory.find(record.uuid)
  const claim = now === undefined ? undefined : openMove(now)
  if (claim?.key !== move.key || claim.withdrawn === true) {
    if (now?.host !== target.name || claim?.withdrawn === true) await undefineGuest(target, record.uuid, bounds)
    throw movedMeanwhile(record)
  }
  const creating = target.call(`start guest ${record.uuid}`, bounds, async (connection, options) => {
    return await connection.create(byUuid(record.uuid), options)
  })
  await refusalsOf({ ...refusal, what: 'started' }, creating)
}

/**
 * The target refused the guest: its place is the source again, as if nothing had been tried, once nothing of the guest can
 * run at the target.
 *
 * @throws the refusal, when the guest was given back; ComputeUnavailableError when the target does not say whether it runs
 */
async function withdraw(
  services: EvacuationServices,
  target: LibvirtHost,
  { record, move, refusal }: { record: GuestRecord; move: RecordedMove; refusal: Error },
  bounds: CallBounds,
): Promise<void> {
  const { inventory } = services
  const marked = await inventory.change(record.uuid, (now) =>
    now !== undefined && openMove(now)?.key === move.key ? withMove(now, move.key, { withdrawn: true }) : undefined,
  )
  if (marked === undefined) throw refusal
  if ((await lookAtTarget(target, record.uuid, bounds)) === 'no-process') {
    await undefineGuest(target, record.uuid, bounds)
  }
  const verdict = await judgeOwn(services, target, { record, move, refused: true }, bounds)
  if (verdict === 'refuse') throw targetSilent(record, move)
  // Another owner of this act has started it after all.
  if (verdict === 'wait') return
  await inventory.change(record.uuid, (now) => {
    const claim = now === undefined ? undefined : openMove(now)
    return now !== undefined && claim?.key === move.key && claim.withdrawn === true
      ? givenBack(now, { before: record, move })
      : undefined
  })
  throw refusal
}

/**
 * Makes sure of the hosts that answer: the guest runs on none of them. Where its restart on the host that it leaves now was
 * never ended, nothing may be left there with which a paused owner of that act could start it.
 *
 * @throws InstanceStateError when it is seen running
 */
async function endElsewhere(
  { hosts, inventory }: EvacuationServices,
  target: LibvirtHost,
  { record, move }: { record: GuestRecord; move: RecordedMove },
  bounds: CallBounds,
): Promise<void> {
  const moves = (await inventory.find(record.uuid))?.moves ?? []
  const before = moves[moves.findIndex(({ key }) => key === move.key) - 1]
  const source = hosts.get(move.source)
  if (before?.done === false && source?.state === 'up') {
    if ((await lookAtTarget(source, record.uuid, bounds)) === 'no-process') {
      await undefineGuest(source, record.uuid, bounds)
    }
  }
  const others = [...hosts.values()].filter((each) => each !== target)
  await refuseWhileRunning(record, others, bounds)
}

async function noteArrival(
  { inventory, clock }: EvacuationServices,
  target: LibvirtHost,
  uuid: string,
  move: RecordedMove,
  bounds: CallBounds,
): Promise<void> {
  if (ownClaim(await inventory.find(uuid), move) !== 'open') return
  const seen = await target.guestState(uuid, bounds)
  await inventory.change(uuid, (now) => {
    const claim = now === undefined ? undefined : openMove(now)
    if (now === undefined || claim?.key !== move.key || !hasReached(claim, seen)) return undefined
    const state = move.run ? 'active' : 'stopped'
    return { ...withMove(now, move.key, { done: true }), state, startingSince: null, seenAt: clock.now() }
  })
}

/** What a guest was doing when it was its own master; on its way, the claim that was made then tells. */
function isToRun(record: GuestRecord): boolean {
  if (record.fencedAt !== null || record.runAgain !== null || record.regardedAsError) return true
  return openMove(record)?.run ?? record.state !== 'stopped'
}

function withMove(now: GuestRecord, key: string, change: Partial<RecordedMove>): GuestRecord {
  const moves = now.moves.map((each) => (each.key === key ? { ...each, ...change } : each))
  return { ...now, moves }
}

/** The record as it was before the claim; after a crash only the claim tells whether the guest is to run. */
function givenBack(now: GuestRecord, { before, move }: { before: GuestRecord; move: RecordedMove }): GuestRecord {
  const moves = now.moves.filter(({ key }) => key !== move.key)
  const fencedAt = before.fencedAt ?? (move.run && now.state === 'stopped' ? move.startedAt : null)
  const { runAgain, regardedAsError } = before
  return { ...now, host: move.source, moves, fencedAt, runAgain, regardedAsError }
}

function targetSilent({ uuid, name }: GuestRecord, { target, source }: RecordedMove): ComputeUnavailableError {
  return new ComputeUnavailableError(
    `The restart of guest ${uuid} (${name}) of host ${source} was begun on host ${target}, whose libvirtd does not answer, ` +
      `so it is not known whether the guest runs there, and it is started nowhere else. Bring that libvirtd back, or report ` +
      `that host ${target} has failed.`,
  )
}

async function requireTarget(
  name: HostName | undefined,
  record: GuestRecord,
  { hosts, disabledHosts }: EvacuationServices,
): Promise<LibvirtHost> {
  const what = `Guest ${record.uuid} (${record.name}) cannot be restarted`
  if (name === undefined) {
    throw new CapacityError(
      `${what}: no host was found for it that is up, enabled and has room. ` +
        `Mend or enable one (mainstay compute-host list). Once the recovery has failed, take host ${record.host} off ` +
        `maintenance (mainstay host update SEGMENT ${record.host} --on-maintenance False) and report its failure again ` +
        `(mainstay notification create), ha.duplicate_interval_ms after the last report at the earliest.`,
    )
  }
  const target = hosts.get(name)
  if (target === undefined) throw new HostNotFoundError(name)
  if (name === record.host) throw new CapacityError(`${what} on host ${name}: that is the host it is to leave.`)
  if (target.state !== 'up') throw new CapacityError(`${what} on host ${name}: its libvirtd does not answer.`)
  const disabled = await disabledHosts.reasonOf(name)
  if (disabled !== null) throw new CapacityError(`${what} on host ${name}: it is disabled (${disabled}).`)
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
