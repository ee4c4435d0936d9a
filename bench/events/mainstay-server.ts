import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'

import { SystemClock } from '../../packages/mainstay/src/core/clock.ts'
import { SystemIds } from '../../packages/mainstay/src/core/ids.ts'
import { silentLogger } from '../../packages/mainstay/src/core/logging.ts'
import { Metrics } from '../../packages/mainstay/src/core/metrics.ts'
import { SystemRandom } from '../../packages/mainstay/src/core/random.ts'
import { MemoryTicketStore } from '../../packages/mainstay/src/events/access/tickets.ts'
import { compatEndpoint } from '../../packages/mainstay/src/events/compat/compat-endpoint.ts'
import { SqliteEventLog } from '../../packages/mainstay/src/events/sqlite/log.ts'
import { DEFAULT_STREAM_OPTIONS } from '../../packages/mainstay/src/events/stream-options.ts'
import { StreamService } from '../../packages/mainstay/src/events/stream-service.ts'
import { createHttpApp, listenOn, noauth2 } from '../../packages/mainstay/src/http/index.ts'
import { memoryInUse, paced } from './measuring.ts'
import { serveParent } from './parent.ts'
import { sampleEvent } from './sample-event.ts'

/**
 * The stream of one node on the embedded log with its default durability, as the product builds it, with the limits of
 * connections raised: native clients, and those of the compatible endpoint.
 */

export interface ServerCalls {
  /** Serves; says on which port. */
  start: [nothing: undefined, result: number]
  /** Settles when so many clients are connected and would be sent what comes. */
  connected: [count: number, result: undefined]
  /** Takes in so many events as fast as they are stored. */
  burst: [count: number, result: undefined]
  /** Takes one event in every so often. */
  pace: [pace: { count: number; everyMs: number; bytes?: number }, result: undefined]
  /** Bytes that the process holds, after what can be collected was. */
  memory: [nothing: undefined, result: number]
  /** Microseconds of processor time since the process began. */
  cpu: [nothing: undefined, result: number]
}

/** Events of one batch, as the listener of a broker that hands over what it has prefetched. */
const BATCH = 256

const clock = new SystemClock()
const ids = new SystemIds()
let service: StreamService | undefined
const directory = await mkdtemp(join(tmpdir(), 'mainstay-bench-events-'))
process.on('disconnect', () => void rm(directory, { recursive: true, force: true }))
const log = await SqliteEventLog.open({ path: join(directory, 'events.db'), clock, ids, logger: silentLogger() })
let number = 0

serveParent<ServerCalls>({
  start: async () => {
    const metrics = new Metrics()
    const app = createHttpApp({ clock, ids, metrics })
    service = new StreamService(
      {
        log,
        clock,
        ids,
        metrics,
        random: new SystemRandom(),
        logger: silentLogger(),
        authenticate: noauth2,
        tickets: new MemoryTicketStore(),
      },
      {
        ...DEFAULT_STREAM_OPTIONS,
        anonymous: true,
        connections: { perNode: 100_000, perAddress: 100_000, perPrincipal: 100_000 },
      },
    )
    service.addEndpoint(compatEndpoint({ filter: DEFAULT_STREAM_OPTIONS.filter }))
    service.start()
    await service.serve(app)
    return Number(new URL(await listenOn(app, { host: '127.0.0.1', port: 0 })).port)
  },
  connected: async (count) => {
    const live = (): number => [...service!.hub.subscribers.keys()].filter(({ state }) => state === 'live').length
    while (live() < count) await setImmediate()
  },
  burst: async (count) => {
    for (let done = 0; done < count; done += BATCH) {
      await log.append(Array.from({ length: Math.min(BATCH, count - done) }, () => sampleEvent(number++)))
    }
  },
  pace: async ({ count, everyMs, bytes }) => {
    await paced(count, everyMs, async () => {
      await log.append([
        sampleEvent(number++, { sentAt: process.hrtime.bigint(), ...(bytes === undefined ? {} : { bytes }) }),
      ])
    })
  },
  memory: memoryInUse,
  cpu: async () => {
    const { user, system } = process.cpuUsage()
    return user + system
  },
})
