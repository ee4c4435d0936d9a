import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { SystemClock } from '../../core/clock.ts'
import { silentLogger } from '../../core/logging.ts'
import { computeConformance } from '../conformance.ts'
import type { ComputeSubject } from '../conformance.ts'
import { SimulatedCompute, type SimulatedComputeOptions } from './compute.ts'
import { runningCopies } from './world.ts'

const QUICK = { startMs: 2, stopMs: 2, evacuateMs: 5, powerMs: 1 }

/** Finds the guests that the suite asks for in a seeded fleet whose target is made tight by `huge`. */
async function simulatedSubject({
  latency = QUICK,
  evacuationsBy = 'platform',
}: Pick<SimulatedComputeOptions, 'latency' | 'evacuationsBy'> = {}): Promise<ComputeSubject> {
  const clock = new SystemClock()
  const size = { seed: 3, hosts: 2, guests: 40, boundShare: 0.2, stoppedShare: 0.3 }
  const directory = mkdtempSync(join(tmpdir(), 'mainstay-fleet-'))
  const open = (): SimulatedCompute => {
    return new SimulatedCompute({ clock, logger: silentLogger(), size, latency, directory, evacuationsBy })
  }
  const compute = open()
  let latest = compute
  const { fleet } = compute
  const [source, target] = [fleet.host('host-001'), fleet.host('host-002')]
  const find = (what: string, wanted: (guest: (typeof guests)[number]) => boolean): string => {
    const guest = guests.find(wanted)
    if (guest === undefined) throw new Error(`The seeded fleet has no ${what} guest; choose another seed.`)
    return guest.uuid
  }
  const guests = [...source.guests]
  const movable = guests.filter(({ boundBecause }) => boundBecause === null)
  const largest = Math.max(...movable.map(({ memoryMib }) => memoryMib))
  const small = ({ memoryMib }: { memoryMib: number }): boolean => memoryMib < largest
  // Leaves less room than the largest guest needs, as a guest that grew would.
  target.usedMib = target.memoryMib - largest + 1
  return {
    compute,
    clock,
    source: source.name,
    target: target.name,
    running: find('running', (guest) => guest.runs && guest.boundBecause === null && small(guest)),
    stopped: find('stopped', (guest) => guest.state === 'stopped'),
    bound: find('bound', (guest) => guest.boundBecause !== null),
    huge: find('huge', (guest) => guest.boundBecause === null && guest.memoryMib === largest),
    killGuest: async (instance) => fleet.killGuest(instance),
    killHost: async (host) => fleet.killHost(host),
    runningCopies: async (instance) => runningCopies(latest.fleet.world, instance),
    interruptedBy: async (begin, instance) => {
      const accepted = Promise.withResolvers<void>()
      using _watching = fleet.changes.watchInstance(instance, () => accepted.resolve())
      // What a process that has died would have heard is nobody's any more.
      const begun = begin(compute).then(
        () => true,
        () => false,
      )
      await Promise.race([accepted.promise, begun])
      await compute.close()
      latest = open()
      return latest
    },
    dispose: async () => {
      await compute.close()
      await latest.close()
      rmSync(directory, { recursive: true })
    },
  }
}

computeConformance('simulated', async () => await simulatedSubject(), { evacuationsBy: 'platform' })
computeConformance(
  'simulated, without any latency',
  async () => await simulatedSubject({ latency: { startMs: 0, stopMs: 0, evacuateMs: 0, powerMs: 0 } }),
  { evacuationsBy: 'platform' },
)
computeConformance(
  'simulated, where whoever asks for an evacuation carries it on',
  async () => await simulatedSubject({ evacuationsBy: 'process', latency: { ...QUICK, evacuateMs: 50 } }),
)
