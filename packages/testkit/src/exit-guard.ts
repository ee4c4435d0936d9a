import { reaper } from './reaper/reaper-client.ts'
import type { Cluster } from './cluster.ts'

/**
 * Clean-up when the test process is asked to end: SIGINT, SIGTERM, SIGHUP dispose the living clusters and then end the
 * process with 128 + the signal's number. What cannot wait (process.exit, an uncaught error) is handled by the reaper's
 * client, which kills the groups at once; SIGKILL is handled by the reaper.
 */
const signals = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const
const living = new Set<Cluster>()
let installed = false

export function guard(cluster: Cluster): void {
  living.add(cluster)
  if (installed) return
  installed = true
  for (const signal of ['SIGHUP', 'SIGINT', 'SIGTERM'] as const) process.on(signal, onSignal)
}

export function release(cluster: Cluster): void {
  living.delete(cluster)
  if (living.size > 0 || !installed) return
  installed = false
  for (const signal of ['SIGHUP', 'SIGINT', 'SIGTERM'] as const) process.off(signal, onSignal)
}

function onSignal(signal: keyof typeof signals): void {
  void endAfterCleanUp(signal)
}

async function endAfterCleanUp(signal: keyof typeof signals): Promise<void> {
  // Somebody else (a test runner) also listens: then they decide when the process ends.
  const alone = process.listenerCount(signal) === 1
  await Promise.allSettled([...living].map((cluster) => cluster.dispose({ reason: signal })))
  reaper().killGroups()
  if (alone) process.exit(signals[signal])
}
