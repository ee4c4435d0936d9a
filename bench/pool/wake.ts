import { SystemClock } from '../../packages/mainstay/src/core/clock.ts'
import { SystemIds } from '../../packages/mainstay/src/core/ids.ts'
import { silentLogger } from '../../packages/mainstay/src/core/logging.ts'
import { TaskGroup } from '../../packages/mainstay/src/core/task-group.ts'
import { nextTurn } from '../../packages/mainstay/src/core/turn.ts'
import { ChangeWatch } from '../../packages/mainstay/src/pool/change-watch.ts'
import { PoolManager } from '../../packages/mainstay/src/pool/manager.ts'
import { groupRules, poolRules } from '../../packages/mainstay/src/pool/options.ts'
import { Waiters } from '../../packages/mainstay/src/pool/waiters.ts'
import { openPool, type Place } from './place.ts'

const OWNER = { owner: 'bench', sandbox: 's', worker: 'w' }

/** Long enough that nobody looks by himself before he is woken. */
const WAIT_MS = 60_000

/**
 * How long a waiter waits after another client gave its only machine back: from the call of the release to the machine in
 * the waiter's hands, in milliseconds. On Redis the two have connections of their own, as two processes have.
 */
export async function wakeUps(place: Place, rounds: number): Promise<number[]> {
  await using waiting = await openPool(place)
  await using other = place.startsWith('redis:') ? await openPool(place) : null
  const giving = other?.pool ?? waiting.pool
  const deps = { store: waiting.pool, clock: new SystemClock(), ids: new SystemIds(), logger: silentLogger() }
  const watch = new ChangeWatch(deps)
  const tasks = new TaskGroup(deps)
  const manager = new PoolManager({ ...deps, waiters: new Waiters(watch) })
  watch.start(tasks)
  const group = groupRules({ id: 'wake', maxPerUser: 0, maxCheckAgeMs: 0, dirtyTimeoutMs: 86_400_000 })
  await giving.configure({ pool: poolRules(), groups: [group] }, { fence: null })
  const now = Date.now()
  await giving.addVm({ name: 'wake-1', group: 'wake', ip: 'wake', now, fence: null })
  await giving.startChecks({ checks: [{ name: 'wake-1', nextCheckAt: now + 3_600_000 }], now, fence: null })
  await giving.checkPassed({ name: 'wake-1', startedAt: now, now })
  const take = async (waitMs?: number) => {
    const wish = { ...OWNER, groups: ['wake'], ...(waitMs === undefined ? {} : { waitMs }) }
    const acquired = await manager.acquire(wish, { signal: AbortSignal.timeout(WAIT_MS) })
    if (acquired.outcome !== 'granted') throw new Error('Nobody was woken.')
    return acquired.leases[0]!
  }
  const tookMs: number[] = []
  try {
    let held = await take()
    for (let round = 0; round < rounds; round += 1) {
      const next = take(WAIT_MS)
      while ((await giving.requests({ limit: 1 })).requests.length === 0) await nextTurn()
      const released = performance.now()
      await giving.release({ name: held.vm.name, token: held.token, now: Date.now() })
      held = await next
      tookMs.push(performance.now() - released)
    }
  } finally {
    await tasks.stop({ timeoutMs: 1000 })
  }
  return tookMs
}
