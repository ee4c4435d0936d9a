import type { DomainStateAndReason } from '@mainstay/libvirt-rpc'
import { Type, type Static } from 'typebox'
import { Compile } from 'typebox/compile'

import { InvalidInputError } from '../../core/errors.ts'
import { parseJson, toJson } from '../../core/json.ts'
import type { InstanceInventoryTable } from '../../store/index.ts'
import type { HostName, InstanceState } from '../compute.ts'
import { hasProcess } from './instance-state.ts'

const move = Type.Object({
  key: Type.String(),
  source: Type.String(),
  target: Type.String(),
  startedAt: Type.Number(),
  /** Whether the guest is to run there; one that was stopped stays so. */
  run: Type.Boolean(),
  /** Until it is done, a target that does not have the guest proves nothing. */
  done: Type.Boolean(),
  /** Whether the source was seen without the guest afterwards: from then on it may come home like any other. */
  sourceCleared: Type.Boolean(),
  /** Set while the target, which refused the guest, is being rid of it: nobody may start it there any more. */
  withdrawn: Type.Optional(Type.Boolean()),
})

const runAgain = Type.Object({
  /** When it was first seen without a process, in milliseconds since the Unix epoch. */
  since: Type.Number(),
  /** Whether its libvirtd saw its process end. Otherwise the process may be there, unknown to libvirtd. */
  endSeen: Type.Boolean(),
})

const definition = Type.Object({
  xml: Type.String(),
  moves: Type.Array(move),
  regardedAsError: Type.Boolean(),
  fencedAt: Type.Union([Type.Number(), Type.Null()]),
  runAgain: Type.Optional(Type.Union([runAgain, Type.Null()])),
  ranAtHostCpuTimeMs: Type.Optional(Type.Union([Type.Number(), Type.Null()])),
  startingSince: Type.Optional(Type.Union([Type.Number(), Type.Null()])),
})

const states = Type.Union(
  (['active', 'stopped', 'paused', 'suspended', 'rescued', 'building', 'resized', 'error', 'unknown'] as const).map(
    (state) => Type.Literal(state),
  ),
)

const [checkDefinition, checkState] = [Compile(definition), Compile(states)]

export type RecordedMove = Static<typeof move>

/** It ran, and nobody stopped it: its host or its process died. */
export type RunAgain = Static<typeof runAgain>

/** What is kept of a guest, because a dead host cannot be asked. */
export interface GuestRecord {
  readonly uuid: string
  readonly name: string
  /** Where it is, or where it last was; the target as soon as a restart elsewhere has begun. */
  readonly host: HostName
  /** What it was doing when it was last seen. */
  readonly state: InstanceState
  /** With which it can be defined on another host. */
  readonly xml: string
  /** Restarts on other hosts, oldest first. */
  readonly moves: readonly RecordedMove[]
  /** A person or a workflow said that it is to be regarded as in error. */
  readonly regardedAsError: boolean
  /** When it was stopped only to fence its host, and is to run again, in milliseconds since the Unix epoch; or null. */
  readonly fencedAt: number | null
  /** Set while it has no process although it ran and nobody stopped it (`runAgainAfter`); it is to run again. */
  readonly runAgain: RunAgain | null
  /** What the processors of its host had spent since it booted when the guest was last seen to run there; or null. */
  readonly ranAtHostCpuTimeMs: number | null
  /** Since when it is being started where it is (`guest-start.ts`), in milliseconds since the Unix epoch; or null. */
  readonly startingSince: number | null
  /** Milliseconds since the Unix epoch. */
  readonly seenAt: number
}

/** The row of `instance_inventory` for a record; its `definition` is JSON. */
export function rowOf(record: GuestRecord): InstanceInventoryTable {
  const { uuid, name, host, state, seenAt, ...kept } = record
  const definition = toJson(kept)
  return { instance_uuid: uuid, name, host, state, definition, seen_at: seenAt }
}

/** @throws InvalidInputError when somebody else wrote the row */
export function recordOf(row: InstanceInventoryTable): GuestRecord {
  const what = `The inventory of guest ${row.instance_uuid}`
  const kept = parseJson(row.definition, what)
  const { state } = row
  if (!checkDefinition.Check(kept) || !checkState.Check(state)) {
    throw new InvalidInputError(`${what} cannot be understood. Delete its row of instance_inventory; it is made again.`)
  }
  const place = { uuid: row.instance_uuid, name: row.name, host: row.host, state, seenAt: row.seen_at }
  const { runAgain = null, ranAtHostCpuTimeMs = null, startingSince = null } = kept
  return { ...place, ...kept, runAgain, ranAtHostCpuTimeMs, startingSince }
}

/** The restart on another host that has begun and is not known to have ended. Only the latest can be under way. */
export function openMove(record: GuestRecord): RecordedMove | undefined {
  const latest = record.moves.at(-1)
  return latest?.done === false ? latest : undefined
}

/** Whether a restart on another host has begun and is not known to have ended. */
export function isMoving(record: GuestRecord): boolean {
  return openMove(record) !== undefined
}

/** Whether what is seen of a guest at its target is what its restart there was to bring about. */
export function hasReached({ run }: RecordedMove, atTarget: DomainStateAndReason | undefined): boolean {
  return atTarget !== undefined && (!run || hasProcess(atTarget))
}

/** Whether the guest was restarted elsewhere because that host was dead, and what is left of it there is still there. */
export function wasMovedAwayFrom(record: GuestRecord, host: HostName): boolean {
  return record.host !== host && record.moves.some(({ source, sourceCleared }) => source === host && !sourceCleared)
}

/** The record once nothing of the guest is left on a host that it was moved away from. */
export function clearedOf(record: GuestRecord, host: HostName): GuestRecord {
  return {
    ...record,
    moves: record.moves.map((each) => (each.source === host ? { ...each, sourceCleared: true } : each)),
  }
}

/** Moves that are remembered of a guest; older ones are forgotten. */
const MOVES_KEPT = 20

/** The record of a guest whose restart on another host has just been claimed. */
export function claimedBy(record: GuestRecord, move: RecordedMove): GuestRecord {
  const moves = [...record.moves, move].slice(-MOVES_KEPT)
  const here = { fencedAt: null, runAgain: null, ranAtHostCpuTimeMs: null, regardedAsError: false }
  return { ...record, ...here, host: move.target, moves }
}
