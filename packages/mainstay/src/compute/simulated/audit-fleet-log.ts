import { InvalidInputError } from '../../core/errors.ts'
import type { HostName } from '../compute.ts'
import { applyFleetEvent } from './apply-fleet-event.ts'
import type { FleetEvent } from './fleet-event.ts'
import { newWorld } from './new-world.ts'
import { runningCopies, type World } from './world.ts'

/** What a log tells of the harm that was done or not done to a fleet. */
export interface FleetAudit {
  /** The fleet after the last event. */
  readonly world: World
  /** How often each guest began to run, by guest; guests that never did are left out. */
  readonly starts: ReadonlyMap<string, number>
  /** How often each guest was moved, by guest. */
  readonly evacuations: ReadonlyMap<string, number>
  /** Moments at which a guest came to run on more than one host. */
  readonly doubles: readonly { readonly at: number; readonly instance: string; readonly hosts: readonly HostName[] }[]
}

/**
 * Folds a log again and counts.
 *
 * @throws InvalidInputError when the log does not begin with the fleet it is of
 */
export function auditFleetLog(events: readonly FleetEvent[]): FleetAudit {
  const world = worldOfLog(events)
  const starts = new Map<string, number>()
  const evacuations = new Map<string, number>()
  const doubles = []
  for (const event of events) {
    applyFleetEvent(world, event)
    if (event.type === 'evacuated') count(evacuations, event.instance)
    if (event.type !== 'started' && !(event.type === 'evacuated' && event.running)) continue
    count(starts, event.instance)
    const hosts = runningCopies(world, event.instance)
    if (hosts.length > 1) doubles.push({ at: event.at, instance: event.instance, hosts })
  }
  return { world, starts, evacuations, doubles }
}

/**
 * The fleet as it was before the first event of its log.
 *
 * @throws InvalidInputError when the log does not begin with the fleet it is of
 */
export function worldOfLog(events: readonly FleetEvent[]): World {
  const [first] = events
  if (first?.type !== 'fleet') {
    throw new InvalidInputError('The log of a simulated fleet does not begin with its size. Delete it to begin anew.')
  }
  const { seed, hosts, guests, boundShare, stoppedShare } = first
  return newWorld({ seed, hosts, guests, boundShare, stoppedShare })
}

function count(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1)
}
