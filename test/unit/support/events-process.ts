/**
 * A process that uses the event log on SQLite, to be starved and killed by a test: `events-process.ts MODE DIRECTORY`.
 * It prints JSON lines.
 */
import { rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

import { SystemClock } from '../../../packages/mainstay/src/core/clock.ts'
import { errorCode, errorMessage } from '../../../packages/mainstay/src/core/errors.ts'
import { SystemIds } from '../../../packages/mainstay/src/core/ids.ts'
import { toJson } from '../../../packages/mainstay/src/core/json.ts'
import { silentLogger } from '../../../packages/mainstay/src/core/logging.ts'
import { Metrics } from '../../../packages/mainstay/src/core/metrics.ts'
import { SystemRandom } from '../../../packages/mainstay/src/core/random.ts'
import { IngestMetrics } from '../../../packages/mainstay/src/events/ingest-metrics.ts'
import { EventIngest } from '../../../packages/mainstay/src/events/ingest.ts'
import { SqliteEventLog } from '../../../packages/mainstay/src/events/sqlite/log.ts'
import { EventSpool } from '../../../packages/mainstay/src/events/spool/spool.ts'
import { newEvent } from '../../../packages/mainstay/src/events/testing/new-event.ts'

const clock = new SystemClock()
const logger = silentLogger()

/** Straight to the pipe: what has been printed when the process is killed was true before. Waits while the pipe is full. */
function print(value: unknown): void {
  for (let bytes = Buffer.from(`${toJson(value)}\n`); bytes.length > 0;) {
    try {
      bytes = bytes.subarray(writeSync(1, bytes))
    } catch (error) {
      if (errorCode(error) !== 'EAGAIN') throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1)
    }
  }
}

function explain(error: unknown): { code: string | undefined; message: string } {
  return { code: errorCode(error), message: errorMessage(error) }
}

async function openLog(directory: string): Promise<SqliteEventLog> {
  return await SqliteEventLog.open({ path: join(directory, 'events.db'), clock, ids: new SystemIds(), logger })
}

function heapBytes(): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

const MODES: Record<string, (directory: string, first: number) => Promise<void>> = {
  /**
   * Takes in events `first`, `first + 1`, … for ever, in batches of four by three at a time, and prints the number of
   * each once it is acknowledged.
   */
  write: async (directory, first) => {
    const log = await openLog(directory)
    let next = first
    const lane = async (): Promise<never> => {
      for (;;) {
        const numbers = [next++, next++, next++, next++]
        await log.append(
          numbers.map((number) =>
            newEvent(number, { atMs: clock.now(), data: { name: number, pad: 'x'.repeat(number % 3000) } }),
          ),
        )
        for (const number of numbers) print(number)
      }
    }
    await Promise.all([lane(), lane(), lane()])
  },

  /** Takes events in until the disk is full, makes room by deleting the ballast, and goes on with what was refused. */
  fill: async (directory) => {
    const log = await openLog(directory)
    const spool = await EventSpool.open({ directory: join(directory, 'spool'), logger })
    const metrics = new IngestMetrics(new Metrics(), () => spool.bytes)
    const ingest = new EventIngest({ log, spool, clock, logger, random: new SystemRandom(), metrics, retryMs: 5 })
    let accepted = 0
    const take = async (): Promise<void> => {
      await ingest.accept([newEvent(accepted + 1, { atMs: clock.now(), data: { pad: 'x'.repeat(4000) } })])
      accepted += 1
    }
    const fill = async (): Promise<never> => {
      for (;;) await take()
    }
    const failure = await fill().catch((error: unknown) => error)
    const trouble = ingest.trouble
    rmSync(join(directory, 'ballast'))
    await take()
    while ((await log.extent()).head < accepted) await clock.sleep(5)
    const events = await log.read({ after: 0, limit: 100_000 })
    const inOrder = events.every(({ id, seq }) => id === `id-${seq}`)
    print({ accepted, failure: explain(failure), trouble, head: events.length, inOrder })
    await ingest.close()
    await log.close()
  },

  /** Takes in 100,000 events that nobody listens to and prints by how much the memory has grown. */
  silence: async (directory) => {
    const log = await openLog(directory)
    const batch = (start: number) =>
      Array.from({ length: 250 }, (_, index) => newEvent(start + index, { atMs: clock.now() }))
    for (let start = 0; start < 5000; start += 250) await log.append(batch(start))
    const before = heapBytes()
    for (let start = 5000; start < 105_000; start += 250) await log.append(batch(start))
    const grown = heapBytes() - before
    print({ grown, head: (await log.extent()).head })
    await log.close()
  },
}

const [mode = '', directory = '', first = '0'] = process.argv.slice(2)
await MODES[mode]!(directory, Number(first))
