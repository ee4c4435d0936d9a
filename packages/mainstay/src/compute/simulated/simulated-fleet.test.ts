import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { ManualClock } from '../../core/clock.ts'
import { silentLogger } from '../../core/logging.ts'
import type { FenceCertificate } from '../fence-certificate.ts'
import { auditFleetLog } from './audit-fleet-log.ts'
import { SimulatedCompute, type SimulatedComputeOptions } from './compute.ts'
import { readFleetLog } from './fleet-log.ts'
import { newWorld } from './new-world.ts'
import { runningCopies, type World } from './world.ts'

function fleetOf(options: Partial<SimulatedComputeOptions> = {}): { compute: SimulatedCompute; clock: ManualClock } {
  const clock = new ManualClock()
  const size = { hosts: 4, guests: 12, ...options.size }
  return { clock, compute: new SimulatedCompute({ logger: silentLogger(), ...options, clock, size }) }
}

const acting = (key: string) => ({ signal: AbortSignal.timeout(5_000), key, fence: 1 })

function proofFor(host: string, now: number): FenceCertificate {
  const evidence = [{ at: now, source: 'a test', saw: 'nothing' }]
  return { host, method: 'asserted', evidence, provenAt: now, validUntil: now + 3_600_000, assertedBy: 'a test' }
}

/** Everything of a fleet that can be compared. */
function picture(world: World): unknown {
  return {
    hosts: [...world.hosts.values()].map((host) => ({ ...host, guests: [...host.guests].map(({ uuid }) => uuid) })),
    guests: [...world.guests.values()].map((guest) => ({
      ...guest,
      host: guest.host.name,
      pending: guest.pending && { ...guest.pending, target: guest.pending.target.name },
    })),
    moves: [...world.moves],
    strays: [...world.strays],
  }
}

describe('a new fleet', () => {
  test('is the same for the same seed, and another for another', () => {
    const size = { seed: 5, hosts: 12, guests: 120, boundShare: 0.1, stoppedShare: 0.1 }
    expect(picture(newWorld(size))).toEqual(picture(newWorld(size)))
    expect([...newWorld(size).guests.keys()]).not.toEqual([...newWorld({ ...size, seed: 6 }).guests.keys()])
  })

  test('has hosts host-001 … host-012 with ten guests each and room for the guests of a dead neighbour', () => {
    const world = newWorld({ seed: 1, hosts: 12, guests: 120, boundShare: 0, stoppedShare: 0 })
    const hosts = [...world.hosts.values()]
    expect(hosts.map(({ name }) => name).slice(0, 2)).toEqual(['host-001', 'host-002'])
    expect(hosts.at(-1)?.name).toBe('host-012')
    for (const host of hosts) expect(host.guests.size).toBe(10)
    const free = hosts.reduce((sum, host) => sum + host.memoryMib - host.usedMib, 0)
    for (const host of hosts) expect(free - host.memoryMib + host.usedMib).toBeGreaterThan(host.usedMib)
  })
})

describe('a host that goes away', () => {
  test('crashed: its guests do not run, though the platform still calls them active', async () => {
    const { compute } = fleetOf()
    const [guest] = compute.fleet.host('host-001').guests
    compute.fleet.killHost('host-001')
    expect(guest).toMatchObject({ state: 'active', runs: false })
    expect(await compute.findHost('host-001', acting('look'))).toMatchObject({ state: 'down' })
  })

  test('isolated: its guests run on, and a restart elsewhere is a second copy that is found out', async () => {
    const { compute, clock } = fleetOf()
    const { fleet } = compute
    const [guest] = fleet.host('host-001').guests
    fleet.killHost('host-001', 'isolated')
    const certificate = proofFor('host-001', clock.now())
    await compute.evacuate(guest!.uuid, { target: 'host-002', certificate }, acting('move'))
    await clock.advance(5_000)
    expect(runningCopies(fleet.world, guest!.uuid)).toEqual(['host-002', 'host-001'])
    fleet.killHost('host-001', 'off')
    expect(runningCopies(fleet.world, guest!.uuid)).toEqual(['host-002'])
  })

  test('comes back with its guests stopped, and none of those that were moved', async () => {
    const { compute, clock } = fleetOf()
    const { fleet } = compute
    const [moved, left] = [...fleet.host('host-001').guests]
    fleet.killHost('host-001')
    const certificate = proofFor('host-001', clock.now())
    await compute.evacuate(moved!.uuid, { target: undefined, certificate }, acting('move'))
    await clock.advance(5_000)
    fleet.powerOnHost('host-001')
    expect(moved).toMatchObject({ state: 'active', runs: true })
    expect(moved?.host.name).not.toBe('host-001')
    expect(left).toMatchObject({ state: 'stopped', runs: false })
    expect(left?.host.name).toBe('host-001')
  })

  test('takes with it what was on its way to it', async () => {
    const { compute, clock } = fleetOf()
    const { fleet } = compute
    const [guest] = fleet.host('host-001').guests
    fleet.killHost('host-001')
    const certificate = proofFor('host-001', clock.now())
    const usedBefore = fleet.host('host-002').usedMib
    await compute.evacuate(guest!.uuid, { target: 'host-002', certificate }, acting('move'))
    expect(fleet.host('host-002').usedMib).toBe(usedBefore + guest!.memoryMib)
    fleet.killHost('host-002')
    await clock.advance(5_000)
    expect(fleet.host('host-002').usedMib).toBe(usedBefore)
    expect(guest).toMatchObject({ state: 'error', runs: false, pending: null })
    expect(await compute.listMoves(guest!.uuid, { sinceMs: 0 }, acting('look'))).toMatchObject([
      { state: 'failed', message: 'Host host-002 went down meanwhile.' },
    ])
    await compute.evacuate(guest!.uuid, { target: 'host-003', certificate }, acting('move'))
    await clock.advance(5_000)
    expect(runningCopies(fleet.world, guest!.uuid)).toEqual(['host-003'])
  })
})

describe('the audit of a log', () => {
  test('counts how often a guest began to run and tells of two copies', () => {
    const fleet = { type: 'fleet', at: 0, seed: 1, hosts: 2, guests: 2, boundShare: 0, stoppedShare: 0 } as const
    const [instance] = newWorld(fleet).guests.keys()
    const act = { instance: instance!, key: 'k', fence: 1 }
    const { starts, evacuations, doubles } = auditFleetLog([
      fleet,
      { type: 'host-down', at: 1, host: 'host-001', how: 'isolated' },
      { type: 'evacuated', at: 2, host: 'host-002', source: 'host-001', running: true, ...act },
    ])
    expect([...starts]).toEqual([[instance, 1]])
    expect([...evacuations]).toEqual([[instance, 1]])
    expect(doubles).toEqual([{ at: 2, instance, hosts: ['host-002', 'host-001'] }])
  })
})

describe('the power of a host', () => {
  test('reads off only once it was cut, crashed or not', async () => {
    const { compute } = fleetOf({ latency: { powerMs: 0 } })
    const { power, fleet } = compute
    expect(await power.readPower('host-001', acting('read'))).toBe('on')
    fleet.killHost('host-001', 'crashed')
    expect(await power.readPower('host-001', acting('read'))).toBe('on')
    await power.powerOffHost('host-001', acting('cut'))
    await power.powerOffHost('host-001', acting('cut'))
    expect(await power.readPower('host-001', acting('read'))).toBe('off')
    fleet.powerOnHost('host-001')
    expect(await power.readPower('host-001', acting('read'))).toBe('on')
  })

  test('is not cut by a device that lies', async () => {
    const { compute } = fleetOf({ latency: { powerMs: 0 } })
    compute.faults.order('power-off', 'lie')
    await compute.power.powerOffHost('host-001', acting('cut'))
    expect(await compute.power.readPower('host-001', acting('read'))).toBe('on')
    compute.faults.order('read-power', 'lie')
    expect(await compute.power.readPower('host-001', acting('read'))).toBe('off')
  })
})

describe('requests that go wrong', () => {
  test.each([
    // fault, error that the caller sees, whether the guest is stopped in the end
    ['refuse', 'MS_INSTANCE_REFUSED', 'active'],
    ['unavailable', 'MS_COMPUTE_UNAVAILABLE', 'active'],
    ['time-out-after-success', 'MS_TIMEOUT', 'stopped'],
    ['fail-later', undefined, 'active'],
    ['lie', undefined, 'active'],
    ['slow', undefined, 'stopped'],
  ] as const)('%s: the caller sees %s and the guest is %s', async (fault, code, state) => {
    const { compute, clock } = fleetOf()
    const [guest] = compute.fleet.world.guests.values()
    compute.faults.order('stop', fault, { subject: guest!.uuid })
    const seen = compute.stop(guest!.uuid, acting('stop')).then(
      () => undefined,
      (error: unknown) => (error as { code?: string }).code,
    )
    await clock.advance(60_000)
    expect(await seen).toBe(code)
    expect(guest).toMatchObject({ state, pending: null })
  })

  test('an evacuation finds no room when so ordered, once', async () => {
    const { compute, clock } = fleetOf()
    const [guest] = compute.fleet.host('host-001').guests
    compute.fleet.killHost('host-001')
    const certificate = proofFor('host-001', clock.now())
    compute.faults.order('evacuate', 'capacity')
    const evacuate = async () => await compute.evacuate(guest!.uuid, { target: undefined, certificate }, acting('move'))
    await expect(evacuate()).rejects.toMatchObject({ code: 'MS_NO_CAPACITY' })
    await evacuate()
    await clock.advance(5_000)
    expect(guest?.runs).toBe(true)
  })

  test('chance is the same for the same seed', async () => {
    const outcomes = async (): Promise<string[]> => {
      const { compute } = fleetOf({ latency: { stopMs: 0 }, faults: { stop: { refuse: 0.5 } } })
      const results = []
      for (const uuid of compute.fleet.world.guests.keys()) {
        results.push((await Promise.allSettled([compute.stop(uuid, acting(uuid))]))[0].status)
      }
      return results
    }
    const first = await outcomes()
    expect(first).toContain('rejected')
    expect(first).toContain('fulfilled')
    expect(await outcomes()).toEqual(first)
  })
})

describe('whatever happens to a fleet', () => {
  const happening = fc.oneof(
    fc.record({ what: fc.constantFrom('start', 'stop', 'evacuate', 'kill'), guest: fc.nat(11), host: fc.nat(3) }),
    fc.record({ what: fc.constantFrom('crash', 'isolate', 'off', 'on', 'wait'), guest: fc.nat(11), host: fc.nat(3) }),
  )

  async function happen(
    { compute, clock }: ReturnType<typeof fleetOf>,
    { what, guest: number, host: index }: { what: string; guest: number; host: number },
    key: string,
  ): Promise<void> {
    const { fleet } = compute
    const guest = [...fleet.world.guests.values()][number]!
    const host = `host-00${index + 1}`
    const certificate = proofFor(guest.host.name, clock.now())
    switch (what) {
      case 'start':
        return await compute.start(guest.uuid, acting(key))
      case 'stop':
        return await compute.stop(guest.uuid, acting(key))
      case 'evacuate':
        return await compute.evacuate(guest.uuid, { target: host, certificate }, acting(key))
      case 'kill':
        return fleet.killGuest(guest.uuid)
      case 'on':
        return fleet.powerOnHost(host)
      case 'wait':
        return await clock.advance(700)
      default:
        return fleet.killHost(host, what === 'crash' ? 'crashed' : what === 'isolate' ? 'isolated' : 'off')
    }
  }

  test('its events alone give the same fleet, and the figures of its hosts add up', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(happening, { maxLength: 40 }), async (happenings) => {
        const directory = mkdtempSync(join(tmpdir(), 'mainstay-fleet-'))
        const world = fleetOf({ directory })
        const { fleet } = world.compute
        for (const [index, each] of happenings.entries()) await happen(world, each, `k${index}`).catch(refusedByRule)
        await world.compute.close()
        const again = auditFleetLog(readFleetLog(directory))
        rmSync(directory, { recursive: true })
        expect(picture(again.world)).toEqual(picture(fleet.world))
        for (const host of fleet.world.hosts.values()) expect(host.usedMib).toBe(usedBy(fleet.world, host.name))
      }),
      { numRuns: 150 },
    )
  })

  test('no guest runs twice unless a host that only lost its network was vouched to be dead', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          happening.filter(({ what }) => what !== 'isolate'),
          { maxLength: 40 },
        ),
        async (happenings) => {
          const world = fleetOf()
          for (const [index, each] of happenings.entries()) {
            await happen(world, each, `k${index}`).catch(refusedByRule)
            expect(world.compute.fleet.world.strays.size).toBe(0)
          }
        },
      ),
      { numRuns: 150 },
    )
  })

  function usedBy(world: World, name: string): number {
    let sum = 0
    for (const guest of world.guests.values()) {
      if (guest.host.name === name) sum += guest.memoryMib
      if (guest.pending?.act === 'evacuate' && guest.pending.target.name === name) sum += guest.memoryMib
    }
    return sum
  }

  /** Most happenings do not fit the state of the fleet; then nothing must happen, and the figures must still add up. */
  function refusedByRule(error: unknown): void {
    expect(error).toMatchObject({ code: expect.stringMatching(/^MS_(INSTANCE|NO_CAPACITY|COMPUTE)/) as string })
  }
})

test('a fleet of any size needs one timer', async () => {
  const { compute, clock } = fleetOf({ size: { hosts: 50, guests: 2_000 } })
  for (const uuid of compute.fleet.world.guests.keys()) await compute.stop(uuid, acting(uuid))
  expect(clock.pending).toBe(1)
  await clock.advance(1_000)
  expect(clock.pending).toBe(0)
  expect([...compute.fleet.world.guests.values()].every(({ runs }) => !runs)).toBe(true)
})
