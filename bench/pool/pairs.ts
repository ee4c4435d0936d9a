import type { PoolStore } from '../../packages/mainstay/src/pool/store.ts'

export interface PairsOptions {
  /** How many owners there are: as many as machines, so that in time each has dirtied one of its own. */
  readonly owners: number
  /** Which of all workers run here: `workers` of them from `first` on, of `of` in all processes. */
  readonly first: number
  readonly workers: number
  readonly of: number
  readonly durationMs: number
}

export interface Pairs {
  readonly pairs: number
  readonly elapsedMs: number
  /** How long each acquire took. */
  readonly acquireMs: readonly number[]
}

/** Workers that each acquire a machine, release it and begin again, every time for the next of their owners. */
export async function acquireAndRelease(pool: PoolStore, options: PairsOptions): Promise<Pairs> {
  const { owners, first, workers, of, durationMs } = options
  const startedAt = performance.now()
  const acquireMs: number[] = []
  const worker = async (index: number): Promise<void> => {
    const own = Math.max(1, Math.floor((owners - index) / of))
    for (let turn = 0; performance.now() - startedAt < durationMs; turn += 1) {
      const owner = `owner-${index + (turn % own) * of}`
      const id = `${owner}/${turn}/${startedAt}`
      const asked = performance.now()
      const outcome = await pool.acquire({
        id,
        groups: ['g'],
        owner,
        sandbox: 's',
        worker: 'w',
        leaseToken: id,
        taskId: id,
        now: Date.now(),
      })
      acquireMs.push(performance.now() - asked)
      if (outcome.outcome !== 'granted') throw new Error(`No machine was handed out: ${JSON.stringify(outcome)}`)
      const [{ vm, token }] = outcome.leases as [(typeof outcome.leases)[0]]
      await pool.release({ name: vm.name, token, now: Date.now() })
    }
  }
  await Promise.all(Array.from({ length: workers }, (_, index) => worker(first + index)))
  return { pairs: acquireMs.length, elapsedMs: performance.now() - startedAt, acquireMs }
}
