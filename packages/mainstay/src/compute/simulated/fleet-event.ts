import { Type, type Static } from 'typebox'
import { Compile } from 'typebox/compile'

import { InvalidInputError } from '../../core/errors.ts'
import type { Json } from '../../core/json.ts'

const at = Type.Number()
const host = Type.String()
const instance = Type.String()
/** Who acted: the key of the act and the fencing token of the actor. */
const actor = { key: Type.String(), fence: Type.Number() }

/**
 * Everything that can happen to a fleet, one line of `fleet.jsonl` each.
 *
 * `started` and `evacuated` with `running: true` are the only lines after which a copy of a guest runs that did not
 * run before. `host` is always where it happened: for `evacuated` the target.
 */
const fleetEvent = Type.Union([
  /** The first line: what the fleet was made from. */
  Type.Object({
    type: Type.Literal('fleet'),
    at,
    seed: Type.Number(),
    hosts: Type.Number(),
    guests: Type.Number(),
    boundShare: Type.Number(),
    stoppedShare: Type.Number(),
  }),
  /** The platform took a request and will have done it at `doneAt`. */
  Type.Object({
    type: Type.Literal('accepted'),
    at,
    act: Type.Union([Type.Literal('start'), Type.Literal('stop'), Type.Literal('evacuate')]),
    instance,
    host,
    ...actor,
    doneAt: Type.Number(),
    failsBecause: Type.Union([Type.String(), Type.Null()]),
  }),
  Type.Object({ type: Type.Literal('started'), at, instance, host, ...actor }),
  Type.Object({ type: Type.Literal('stopped'), at, instance, host, ...actor }),
  Type.Object({
    type: Type.Literal('evacuated'),
    at,
    instance,
    host,
    source: Type.String(),
    running: Type.Boolean(),
    ...actor,
  }),
  /** An accepted act came to nothing. */
  Type.Object({ type: Type.Literal('failed'), at, instance, host, ...actor, why: Type.String() }),
  /** The guest's process died. */
  Type.Object({ type: Type.Literal('killed'), at, instance, host }),
  Type.Object({
    type: Type.Literal('state-reset'),
    at,
    instance,
    host,
    state: Type.Union([Type.Literal('active'), Type.Literal('error')]),
    ...actor,
  }),
  Type.Object({
    type: Type.Literal('host-down'),
    at,
    host,
    how: Type.Union([Type.Literal('crashed'), Type.Literal('isolated'), Type.Literal('off')]),
  }),
  Type.Object({ type: Type.Literal('host-up'), at, host }),
  Type.Object({ type: Type.Literal('host-disabled'), at, host, reason: Type.String(), ...actor }),
  Type.Object({ type: Type.Literal('host-enabled'), at, host, ...actor }),
])

export type FleetEvent = Static<typeof fleetEvent>

const compiled = Compile(fleetEvent)

/** @throws InvalidInputError when the value is no event of a fleet; `what` names it there */
export function readFleetEvent(value: Json, what: string): FleetEvent {
  if (compiled.Check(value)) return value
  throw new InvalidInputError(`${what} is no event of a simulated fleet. Delete the file to begin with a new fleet.`)
}
