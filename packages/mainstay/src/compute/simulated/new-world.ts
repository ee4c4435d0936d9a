import { SeededIds } from '../../core/ids.ts'
import { SeededRandom, integerBetween, type Random } from '../../core/random.ts'
import type { FleetSize, SimulatedGuest, SimulatedHost, World } from './world.ts'

const ROLES = ['web', 'api', 'db', 'cache', 'queue', 'build', 'mail', 'log'] as const
/** From tiny to large; the smaller ones are commoner. */
const GUEST_SIZES_MIB = [1024, 1024, 2048, 2048, 4096, 8192] as const
const LARGEST_GUEST_MIB = 8192
const MIB_PER_VCPU = 2048
const SMALLEST_HOST_MIB = 65_536
/** Room on every host beyond the most that its first guests can need, so that a failure fits. */
const HEADROOM = 1.25

const HA_ON = { HA_Enabled: 'True' }
const HA_OFF = { HA_Enabled: 'False' }
const HA_UNSAID = {}

/** Makes the fleet that belongs to a size: `host-001` …, guests spread evenly over them. */
export function newWorld(size: FleetSize): World {
  const random = new SeededRandom(size.seed)
  const ids = new SeededIds(random)
  const world: World = {
    size,
    hosts: new Map(),
    guests: new Map(),
    moves: new Map(),
    strays: new Map(),
    eventCount: 0,
  }
  const hosts = newHosts(size)
  for (const host of hosts) world.hosts.set(host.name, host)
  const projects = Array.from({ length: 8 }, () => ids.random().replaceAll('-', ''))
  const digits = Math.max(4, String(size.guests).length)
  for (let number = 0; number < size.guests; number += 1) {
    const host = hosts[number % hosts.length]!
    const guest = newGuest({ number: number + 1, digits, host, uuid: ids.random(), projects, random, size })
    host.guests.add(guest)
    host.usedMib += guest.memoryMib
    world.guests.set(guest.uuid, guest)
  }
  return world
}

function newHosts({ hosts, guests }: FleetSize): SimulatedHost[] {
  const most = Math.ceil(guests / Math.max(1, hosts)) * LARGEST_GUEST_MIB * HEADROOM
  const memoryMib = Math.max(SMALLEST_HOST_MIB, Math.ceil(most / SMALLEST_HOST_MIB) * SMALLEST_HOST_MIB)
  const digits = Math.max(3, String(hosts).length)
  return Array.from({ length: hosts }, (_, index) => ({
    name: `host-${String(index + 1).padStart(digits, '0')}`,
    memoryMib,
    vcpus: memoryMib / MIB_PER_VCPU,
    condition: 'serving' as const,
    disabledReason: null,
    usedMib: 0,
    guests: new Set<SimulatedGuest>(),
  }))
}

function newGuest(options: {
  number: number
  digits: number
  host: SimulatedHost
  uuid: string
  projects: readonly string[]
  random: Random
  size: FleetSize
}): SimulatedGuest {
  const { number, digits, host, uuid, projects, random, size } = options
  const memoryMib = pick(random, GUEST_SIZES_MIB)
  const chanceOfHa = random.next()
  const stopped = random.next() < size.stoppedShare
  const bound = random.next() < size.boundShare
  return {
    uuid,
    name: `${pick(random, ROLES)}-${String(number).padStart(digits, '0')}`,
    memoryMib,
    vcpus: Math.max(1, memoryMib / MIB_PER_VCPU),
    metadata: chanceOfHa < 0.7 ? HA_ON : chanceOfHa < 0.8 ? HA_OFF : HA_UNSAID,
    boundBecause: bound ? 'It uses a PCI device of its host.' : null,
    projectId: pick(random, projects),
    host,
    state: stopped ? 'stopped' : 'active',
    runs: !stopped,
    pending: null,
    lastKey: null,
  }
}

function pick<T>(random: Random, choices: readonly T[]): T {
  return choices[integerBetween(random, 0, choices.length - 1)]!
}
