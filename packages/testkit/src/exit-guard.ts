import { reaper } from './reaper/reaper-client.ts'
import type { Cluster } from './cluster.ts'

/**
 * Clean-up when the test process is asked to end: SIGINT, SIGTERM, SIGHUP dispose the living clusters and then end the
 * process with 128 + the signal's number. While no cluster lives the signal has its ordinary effect. What cannot wait
 * (process.exit, an uncaught error) is handled by the reaper's client, which kills the groups at once; SIGKILL is handled
 * by the reaper.
 */
const signals = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const
const living = new Set<Cluster>()

// With the module, not with the first cluster: a cluster that outlives the test that first asked for it would look as if
// that test had forgotten a listener.
for (const signal of ['SIGHUP', 'SIGINT', 'SIGTERM'] as const) process.on(signal, onSignal)

export function guard(cluster: Cluster): void {
  living.add(cluster)
}

export function release(cluster: Cluster): void {
  living.delete(cluster)
}

function onSignal(signal: keyof typeof signals): void {
  // Somebody else (a test runner) also listens: then they decide when the process ends.
  const alone = process.listenerCount(signal) === 1
  if (living.size > 0) return void endAfterCleanUp(signal, alone)
  if (!alone) return
  // Without its only listener the signal ends the process, as if nobody had ever listened.
  process.off(signal, onSignal)
  process.kill(process.pid, signal)
}

async function endAfterCleanUp(signal: keyof typeof signals, alone: boolean): Promise<void> {
  await Promise.allSettled([...living].map((cluster) => cluster.dispose({ reason: signal })))
  reaper().killGroups()
  if (alone) process.exit(signals[signal])
}
