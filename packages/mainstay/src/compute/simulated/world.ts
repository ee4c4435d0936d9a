import type { HostName, InstanceState } from '../compute.ts'

/**
 * A fleet as plain data. It is changed by `applyFleetEvent` alone, so that the log of events *is* the fleet.
 *
 * What the platform *says* of a guest (`state`, `host`) is kept apart from what is *true* (`runs`, `strays`): a platform
 * goes on saying `active` of the guests of a dead host, and a guest that was restarted while its old host was only cut
 * off runs twice.
 *
 * Built for a million guests: one small object for each, figures of a host kept up to date and never summed.
 */
export interface World {
  readonly size: FleetSize
  readonly hosts: Map<HostName, SimulatedHost>
  readonly guests: Map<string, SimulatedGuest>
  /** Restarts on other hosts, by guest, oldest first. */
  readonly moves: Map<string, SimulatedMove[]>
  /** Copies that run on a host that is not the guest's place any more, by guest. Empty in a fleet that is well kept. */
  readonly strays: Map<string, Set<HostName>>
  /** How many events led here. */
  eventCount: number
}

/** What a new fleet is made from; the same size gives the same fleet. */
export interface FleetSize {
  readonly seed: number
  readonly hosts: number
  readonly guests: number
  /** Share of the guests that are bound to their host, from 0 to 1. */
  readonly boundShare: number
  /** Share of the guests that are stopped at first, from 0 to 1. */
  readonly stoppedShare: number
}

/**
 *   serving ──dies──▶ crashed ──power──▶ off ──power──▶ serving
 *      └────network──▶ isolated ───────────┘  or back to serving
 *
 * Only an isolated host still runs its guests while the platform calls it down.
 */
export type HostCondition = 'serving' | 'crashed' | 'isolated' | 'off'

export interface SimulatedHost {
  readonly name: HostName
  readonly memoryMib: number
  readonly vcpus: number
  condition: HostCondition
  /** Null while new guests may be placed on it. */
  disabledReason: string | null
  /** Of its guests and of those that are on their way to it. */
  usedMib: number
  /** In the order in which they came. */
  readonly guests: Set<SimulatedGuest>
}

export interface SimulatedGuest {
  readonly uuid: string
  readonly name: string
  readonly memoryMib: number
  readonly vcpus: number
  readonly metadata: Readonly<Record<string, string>>
  readonly boundBecause: string | null
  readonly projectId: string
  host: SimulatedHost
  state: InstanceState
  /** Whether a copy truly runs on `host`. */
  runs: boolean
  /** What was asked for and is not done yet. */
  pending: PendingAct | null
  /** Key of the last start, stop or restart elsewhere that was accepted and did not fail. */
  lastKey: string | null
}

export type GuestAct = 'start' | 'stop' | 'evacuate'

export interface PendingAct {
  readonly act: GuestAct
  readonly key: string
  readonly fence: number
  readonly target: SimulatedHost
  /** Milliseconds since the Unix epoch. */
  readonly doneAt: number
  /** Why it will fail, or null. */
  readonly failsBecause: string | null
}

export interface SimulatedMove {
  readonly key: string
  readonly source: HostName
  readonly target: HostName
  readonly startedAt: number
  state: 'running' | 'done' | 'failed'
  message: string | null
}

/** Hosts on which a copy of the guest truly runs. More than one means that its disks are being destroyed. */
export function runningCopies(world: World, instance: string): HostName[] {
  const guest = world.guests.get(instance)
  const strays = [...(world.strays.get(instance) ?? [])]
  return guest?.runs === true ? [guest.host.name, ...strays] : strays
}

/** Whether this act has moved the guest already, or is about to. One that failed may be tried again with the same key. */
export function hasMove(world: World, instance: string, key: string): boolean {
  return world.moves.get(instance)?.some((move) => move.key === key && move.state !== 'failed') ?? false
}
