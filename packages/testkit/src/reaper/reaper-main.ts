import { createInterface } from 'node:readline'
import { reap } from './reap.ts'
import { Ledger } from './ledger.ts'
import { sweepDeadRuns } from './sweep.ts'
import type { ReaperEvent } from './reaper-events.ts'

/**
 * The helper that outlives its test process.
 *
 *   listening ──bye──▶ exit
 *       └──end of input without bye──▶ reaping (SIGTERM, grace, SIGKILL, marker scan, leases, folders) ──▶ exit
 *
 * Invariant: it signals only processes that it was told of (number and start time agree) or that carry the marker of a
 * run that it was told of, and removes only what it was told of or what names a dead owner.
 */
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined)

const ledger = new Ledger()
let saidBye = false
for await (const line of createInterface({ input: process.stdin })) {
  const event = JSON.parse(line) as ReaperEvent
  if (event.event === 'bye') {
    saidBye = true
    break
  }
  if (event.event === 'sweep') await sweepDeadRuns(event.home)
  else ledger.note(event)
}
if (!saidBye) await reap(ledger)
process.exit(0)
