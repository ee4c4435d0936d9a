import { fanOut } from './events/fan-out.ts'
import { matching } from './events/filters.ts'
import { idleConnections } from './events/idle.ts'
import { latency } from './events/latency.ts'
import { replay } from './events/replay.ts'
import { measureEventLog } from './events-log.ts'
import type { BenchOptions, BenchResult } from './run.ts'

/** The event stream: fan-out, latency, memory, filters, and the log below it. See `events.md`. */
export async function run(options: BenchOptions): Promise<BenchResult[]> {
  return [
    ...(await fanOut(options)),
    ...(await latency(options)),
    ...(await idleConnections(options)),
    ...(await matching(options)),
    ...(await replay(options)),
    ...(await measureEventLog(options)),
  ]
}
