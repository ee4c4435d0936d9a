import type { FleetEvent } from './fleet-event.ts'
import type { SimulatedGuest, SimulatedHost, SimulatedMove, World } from './world.ts'

/**
 * Changes a fleet by one event. Reads no clock and no chance, so the same events always lead to the same fleet.
 *
 * It changes the world in place: a copy of a million guests for every event would make the log unreadable.
 *
 * @returns the guests that changed
 * @throws TypeError when the event names a host or guest that the fleet does not have
 */
export function applyFleetEvent(world: World, event: FleetEvent): SimulatedGuest[] {
  world.eventCount += 1
  switch (event.type) {
    case 'fleet':
      return []
    case 'accepted':
      return [accept(world, event)]
    case 'started': {
      const guest = settle(world, event)
      guest.state = 'active'
      guest.runs = true
      return [guest]
    }
    case 'stopped': {
      const guest = settle(world, event)
      guest.state = 'stopped'
      guest.runs = false
      return [guest]
    }
    case 'evacuated':
      return [moveGuest(world, event)]
    case 'failed':
      return [fail(world, event)]
    case 'killed': {
      const guest = guestOf(world, event.instance)
      guest.runs = false
      guest.state = 'stopped'
      return [guest]
    }
    case 'state-reset': {
      const guest = guestOf(world, event.instance)
      guest.state = event.state
      return [guest]
    }
    case 'host-down':
      return takeDown(world, hostOf(world, event.host), event.how)
    case 'host-up':
      return bringUp(world, hostOf(world, event.host))
    case 'host-disabled':
      hostOf(world, event.host).disabledReason = event.reason
      return []
    case 'host-enabled':
      hostOf(world, event.host).disabledReason = null
      return []
    default:
      event satisfies never
      return []
  }
}

type Of<Kind extends FleetEvent['type']> = Extract<FleetEvent, { type: Kind }>

function accept(world: World, event: Of<'accepted'>): SimulatedGuest {
  const guest = guestOf(world, event.instance)
  const { act, key, fence, doneAt, failsBecause } = event
  const target = hostOf(world, event.host)
  guest.pending = { act, key, fence, target, doneAt, failsBecause }
  guest.lastKey = key
  if (act === 'evacuate') {
    target.usedMib += guest.memoryMib
    const moves = world.moves.get(guest.uuid) ?? []
    moves.push({
      key,
      source: guest.host.name,
      target: target.name,
      startedAt: event.at,
      state: 'running',
      message: null,
    })
    world.moves.set(guest.uuid, moves)
  }
  return guest
}

/** An accepted act is over. Room that an evacuation had taken on its target is given back. */
function settle(world: World, event: { instance: string }): SimulatedGuest {
  const guest = guestOf(world, event.instance)
  if (guest.pending?.act === 'evacuate') guest.pending.target.usedMib -= guest.memoryMib
  guest.pending = null
  return guest
}

function moveGuest(world: World, event: Of<'evacuated'>): SimulatedGuest {
  const guest = settle(world, event)
  const move = openMove(world, event)
  if (move !== undefined) move.state = 'done'
  const source = guest.host
  const target = hostOf(world, event.host)
  if (guest.runs) addStray(world, guest.uuid, source.name)
  source.guests.delete(guest)
  source.usedMib -= guest.memoryMib
  target.guests.add(guest)
  target.usedMib += guest.memoryMib
  guest.host = target
  guest.runs = event.running
  guest.state = event.running ? 'active' : 'stopped'
  return guest
}

/** As Nova does: a guest that could not be rebuilt is in error, one that could not start or stop is as it was. */
function fail(world: World, event: Of<'failed'>): SimulatedGuest {
  const move = openMove(world, event)
  const guest = settle(world, event)
  guest.lastKey = null
  if (move === undefined) return guest
  move.state = 'failed'
  move.message = event.why
  guest.state = 'error'
  return guest
}

function openMove(world: World, event: { instance: string; key: string }): SimulatedMove | undefined {
  return world.moves.get(event.instance)?.findLast((move) => move.key === event.key && move.state === 'running')
}

function takeDown(world: World, host: SimulatedHost, how: Of<'host-down'>['how']): SimulatedGuest[] {
  host.condition = how
  if (how === 'isolated') return []
  endStrays(world, host)
  for (const guest of host.guests) guest.runs = false
  return []
}

/** As Nova does: guests that went down with their host stay down, and what was moved away is cleared away. */
function bringUp(world: World, host: SimulatedHost): SimulatedGuest[] {
  host.condition = 'serving'
  endStrays(world, host)
  const changed = []
  for (const guest of host.guests) {
    if (guest.runs || guest.state !== 'active') continue
    guest.state = 'stopped'
    changed.push(guest)
  }
  return changed
}

function addStray(world: World, instance: string, host: string): void {
  const hosts = world.strays.get(instance) ?? new Set()
  hosts.add(host)
  world.strays.set(instance, hosts)
}

function endStrays(world: World, host: SimulatedHost): void {
  for (const [instance, hosts] of world.strays) {
    hosts.delete(host.name)
    if (hosts.size === 0) world.strays.delete(instance)
  }
}

function guestOf(world: World, instance: string): SimulatedGuest {
  const guest = world.guests.get(instance)
  if (guest === undefined) throw new TypeError(`The fleet has no guest ${instance}.`)
  return guest
}

function hostOf(world: World, name: string): SimulatedHost {
  const host = world.hosts.get(name)
  if (host === undefined) throw new TypeError(`The fleet has no host ${name}.`)
  return host
}
