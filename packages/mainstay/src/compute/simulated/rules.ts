import { CapacityError, ComputeUnavailableError, InstanceBoundError, InstanceStateError } from '../errors.ts'
import type { SimulatedGuest, SimulatedHost, World } from './world.ts'

/** What the simulated platform refuses, in the order in which it looks. Pure: it reads the fleet and throws. */

/** @throws InstanceStateError, ComputeUnavailableError */
export function checkStart(guest: SimulatedGuest): void {
  checkIdle(guest, 'started')
  if (guest.state !== 'stopped') throw wrongState(guest, 'started')
  checkServing(guest.host, guest)
}

/** @throws InstanceStateError, ComputeUnavailableError */
export function checkStop(guest: SimulatedGuest): void {
  checkIdle(guest, 'stopped')
  if (guest.state === 'stopped') throw wrongState(guest, 'stopped')
  checkServing(guest.host, guest)
}

/** As Nova's evacuate: from these states only. */
const EVACUABLE: ReadonlySet<string> = new Set(['active', 'stopped', 'error'])

/** @throws InstanceStateError, InstanceBoundError */
export function checkEvacuate(guest: SimulatedGuest): void {
  checkIdle(guest, 'restarted on another host')
  if (guest.runs && guest.host.condition === 'serving') {
    throw new InstanceStateError(
      `Guest ${guest.uuid} (${guest.name}) is seen running on host ${guest.host.name}; a second copy would destroy its ` +
        `disks. Fence the host again, or leave the guest where it is.`,
    )
  }
  if (!EVACUABLE.has(guest.state)) throw wrongState(guest, 'restarted on another host')
  if (guest.boundBecause !== null) {
    throw new InstanceBoundError(
      `Guest ${guest.uuid} (${guest.name}) cannot run on another host: ${guest.boundBecause} Repair host ${guest.host.name}.`,
    )
  }
}

/**
 * Where an evacuated guest goes: the wanted host, or the one with the most free memory.
 *
 * @throws CapacityError when that host, or every host, is down, disabled or full
 */
export function chooseTarget(world: World, guest: SimulatedGuest, wanted: SimulatedHost | undefined): SimulatedHost {
  if (wanted !== undefined) {
    const because = unfit(wanted, guest)
    if (because === null) return wanted
    throw new CapacityError(
      `Guest ${guest.uuid} (${guest.name}) cannot be restarted on host ${wanted.name}: ${because}.`,
    )
  }
  let best: SimulatedHost | undefined
  for (const host of world.hosts.values()) {
    if (unfit(host, guest) !== null) continue
    if (best === undefined || freeMib(host) > freeMib(best)) best = host
  }
  if (best !== undefined) return best
  throw new CapacityError(
    `No host has ${guest.memoryMib} MiB free for guest ${guest.uuid} (${guest.name}). Free memory or add a host.`,
  )
}

export function freeMib(host: SimulatedHost): number {
  return host.memoryMib - host.usedMib
}

function unfit(host: SimulatedHost, guest: SimulatedGuest): string | null {
  if (host === guest.host) return 'that is the host it is to leave'
  if (host.condition !== 'serving') return 'it is down'
  if (host.disabledReason !== null) return `it is disabled (${host.disabledReason})`
  if (freeMib(host) < guest.memoryMib) return `it has ${freeMib(host)} MiB free and ${guest.memoryMib} MiB are needed`
  return null
}

/** The name Nova gives to what is being done (`task_state`). */
export function taskStateOf(guest: SimulatedGuest): string | null {
  if (guest.pending === null) return null
  return { start: 'powering-on', stop: 'powering-off', evacuate: 'rebuilding' }[guest.pending.act]
}

function checkIdle(guest: SimulatedGuest, what: string): void {
  if (guest.pending === null) return
  throw new InstanceStateError(
    `Guest ${guest.uuid} (${guest.name}) cannot be ${what} while it is ${taskStateOf(guest)}. Wait until that is over.`,
  )
}

function checkServing(host: SimulatedHost, guest: SimulatedGuest): void {
  if (host.condition === 'serving') return
  throw new ComputeUnavailableError(
    `Host ${host.name} of guest ${guest.uuid} (${guest.name}) does not answer. Nothing was done to the guest.`,
  )
}

function wrongState(guest: SimulatedGuest, what: string): InstanceStateError {
  return new InstanceStateError(
    `Guest ${guest.uuid} (${guest.name}) cannot be ${what} because it is ${guest.state}. Look at its state and ask again.`,
  )
}
