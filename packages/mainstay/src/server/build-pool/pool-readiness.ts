import type { Clock } from '../../core/clock.ts'
import { withDeadline } from '../../core/deadline.ts'
import type { PoolStore } from '../../pool/store.ts'

/** How long a look at the pool's memory may take. */
const CHECK_TIMEOUT_MS = 5000

/** Where the time of the last look is kept, beside what is remembered of groups. */
const PLACE = { group: 'health', key: 'looked_at' }

/**
 * Looks whether the pool's memory takes changes. A Redis that is full answers every question and refuses every change, so
 * something small is written there; the database of this machine is looked at by the server itself and only read here.
 *
 * Source: vm-pool.md C16.
 *
 * @throws RedisUnavailableError, TimeoutError, what else the store throws
 */
export async function assertPoolReady(store: PoolStore, clock: Clock): Promise<void> {
  await withDeadline({ clock, what: 'Looking at the memory of the pool', timeoutMs: CHECK_TIMEOUT_MS }, async () => {
    if (store.kind === 'redis') await store.writeInfo(PLACE.group, PLACE.key, String(clock.now()))
    else await store.serverStartedAt()
  })
}
