import { missingForLibvirt } from '../test/real/lab/requirements.ts'
import { callsPerSecond, eventToStart } from './recovery/libvirt-host.ts'
import { allRunning, firstEvacuation } from './recovery/simulated-fleet.ts'
import type { BenchOptions, BenchResult } from './run.ts'

/** How long a recovery takes, part by part. See `recovery.md`. */
export async function run(options: BenchOptions): Promise<BenchResult[]> {
  const results = [...(await firstEvacuation(options)), ...(await allRunning(options))]
  const missing = missingForLibvirt()
  if (missing !== undefined) {
    options.log(`The figures of libvirt are left out: ${missing}`)
    return results
  }
  return [...results, ...(await eventToStart(options)), ...(await callsPerSecond(options))]
}
