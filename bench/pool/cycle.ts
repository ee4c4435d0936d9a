import type { PoolStore } from '../../packages/mainstay/src/pool/store.ts'

/** How many machines one look at what is due takes. */
const BATCH = 500

/**
 * What a cycle of the master asks of the store: who leads, what is due and claimed, how many there are, who waits. Starts
 * a check for each machine that is due for one.
 *
 * @returns how many checks it started
 */
export async function cycle(pool: PoolStore, now: number): Promise<number> {
  const { fence } = await pool.lead({ id: 'bench', leaseMs: 60_000, now })
  let started = 0
  for (;;) {
    const due = await pool.due({ now, limit: BATCH })
    const checks = due.vms
      .filter(({ kinds }) => kinds.includes('check'))
      .map(({ vm }) => ({ name: vm.name, nextCheckAt: now + 120_000 }))
    if (checks.length > 0) await pool.startChecks({ checks, now, fence })
    started += checks.length
    if (!due.more) break
  }
  await pool.expireRequests({ limit: BATCH, now, fence })
  await pool.counts({ now })
  await pool.requests({ limit: BATCH })
  return started
}
