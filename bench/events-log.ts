import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { Cluster } from '@mainstay/testkit'

import { SystemClock } from '../packages/mainstay/src/core/clock.ts'
import { SystemIds } from '../packages/mainstay/src/core/ids.ts'
import { parseJson, toJson } from '../packages/mainstay/src/core/json.ts'
import { silentLogger } from '../packages/mainstay/src/core/logging.ts'
import { Metrics } from '../packages/mainstay/src/core/metrics.ts'
import { SystemRandom } from '../packages/mainstay/src/core/random.ts'
import { IngestMetrics } from '../packages/mainstay/src/events/ingest-metrics.ts'
import { EventIngest } from '../packages/mainstay/src/events/ingest.ts'
import type { EventLog } from '../packages/mainstay/src/events/log.ts'
import { RedisEventLog } from '../packages/mainstay/src/events/redis/log.ts'
import { SqliteEventLog } from '../packages/mainstay/src/events/sqlite/log.ts'
import { eventJson } from '../packages/mainstay/src/events/stored-event.ts'
import type { NewStreamEvent } from '../packages/mainstay/src/events/stream-event.ts'
import { openRedis } from '../packages/mainstay/src/store/redis/index.ts'
import { SqliteConnection } from '../packages/mainstay/src/store/sqlite/connection.ts'
import { newEvent } from '../packages/mainstay/src/events/testing/new-event.ts'
import type { BenchResult } from './run.ts'

const clock = new SystemClock()
const ids = new SystemIds()
const logger = silentLogger()

const BATCH = 256
const EVENTS = 100_000
/** Batches that are on their way at the same time. */
const LANES = 2

export interface LogBenchOptions {
  readonly log: (line: string) => void
  /** How many events each figure is measured with. */
  readonly events?: number
}

/**
 * How many events a second the log takes in, through the whole way in (redaction, limits, metrics), in batches of 256,
 * durable as the default configuration is; and how many a second one reader gets out of it as finished JSON.
 *
 * Baselines of the same run: the same texts as plain inserts in the same batches on the same disk, or as a pipeline of
 * `XADD`; and, for the replay, the same rows parsed and written out again, as a log without finished texts would.
 */
export async function measureEventLog({ log: tell, events = EVENTS }: LogBenchOptions): Promise<BenchResult[]> {
  return [...(await measureSqlite(events, tell)), ...(await measureRedis(events, tell))]
}

async function measureSqlite(count: number, tell: (line: string) => void): Promise<BenchResult[]> {
  const directory = await mkdtemp(join(tmpdir(), 'mainstay-bench-'))
  try {
    const plain = plainInserts(join(directory, 'plain.db'), count)
    const log = await SqliteEventLog.open({ path: join(directory, 'events.db'), clock, ids, logger })
    const ingest = await ingestPerSecond(log, count)
    const always = await SqliteEventLog.open({
      path: join(directory, 'always.db'),
      clock,
      ids,
      logger,
      fsync: 'always',
    })
    const synced = await ingestPerSecond(always, Math.floor(count / 4))
    await always.close()
    const { replay, parsed } = await replayPerSecond(log)
    await log.close()
    tell(
      `sqlite: ${ingest} taken in/s (every commit flushed: ${synced}), ${plain} plain inserts/s, ${replay} replayed/s`,
    )
    return [
      figure('ingest_per_s', { store: 'sqlite' }, ingest, { name: 'plain inserts in the same batches', value: plain }),
      figure('ingest_per_s', { store: 'sqlite', fsync: 'always' }, synced),
      figure('replay_per_s', { store: 'sqlite' }, replay, { name: 'rows parsed and written again', value: parsed }),
    ]
  } finally {
    await rm(directory, { recursive: true })
  }
}

async function measureRedis(count: number, tell: (line: string) => void): Promise<BenchResult[]> {
  await using cluster = await Cluster.create({ name: 'bench-events' })
  const server = cluster.component('redis')
  await server.start()
  const connect = () => openRedis({ port: server.port, clock, logger, random: new SystemRandom() })
  await using redis = connect()
  await redis.whenReady({ timeoutMs: 30_000 })
  const begun = performance.now()
  for (let done = 0; done < count; done += BATCH) {
    await Promise.all(sampleEvents(BATCH).map((event) => redis.ask(['XADD', 'plain', '*', 'e', toJson(event)])))
  }
  const plain = perSecond(count, begun)
  const log = new RedisEventLog({ redis: connect(), clock, ids, logger })
  while ((await log.extent().catch(() => undefined)) === undefined) await clock.sleep(10)
  const ingest = await ingestPerSecond(log, count)
  const { replay } = await replayPerSecond(log)
  await log.close()
  tell(`redis: ${ingest} taken in/s, ${plain} plain XADD/s, ${replay} replayed/s`)
  return [
    figure('ingest_per_s', { store: 'redis' }, ingest, { name: 'XADD in a pipeline', value: plain }),
    figure('replay_per_s', { store: 'redis' }, replay),
  ]
}

async function ingestPerSecond(log: EventLog, count: number): Promise<number> {
  const metrics = new IngestMetrics(new Metrics(), () => 0)
  const ingest = new EventIngest({ log, spool: null, clock, random: new SystemRandom(), logger, metrics })
  const begun = performance.now()
  const lane = async (): Promise<void> => {
    for (let done = 0; done < count / LANES; done += BATCH) await ingest.accept(sampleEvents(BATCH))
  }
  await Promise.all(Array.from({ length: LANES }, lane))
  const rate = perSecond((await log.extent()).head, begun)
  await ingest.close()
  return rate
}

async function replayPerSecond(log: EventLog): Promise<{ replay: number; parsed: number }> {
  const read = async (text: (event: Parameters<typeof eventJson>[0]) => string): Promise<number> => {
    const begun = performance.now()
    let after = 0
    for (let bytes = 0; ;) {
      const page = await log.read({ after, limit: 500 })
      if (page.length === 0) return perSecond(after, begun)
      for (const event of page) bytes += Buffer.from(text(event)).length
      after += page.length
    }
  }
  await read(eventJson)
  const replay = await read(eventJson)
  const parsed = await read((event) => toJson(parseJson(eventJson(event), 'an event')))
  return { replay, parsed }
}

function plainInserts(path: string, count: number): number {
  const connection = new SqliteConnection({ path })
  connection.exec('pragma synchronous = normal; create table events (seq integer primary key, text text not null)')
  const begun = performance.now()
  for (let done = 0; done < count; done += BATCH) {
    connection.exec('begin immediate')
    for (const event of sampleEvents(BATCH)) connection.query('insert into events (text) values (?)', [toJson(event)])
    connection.exec('commit')
  }
  const rate = perSecond(count, begun)
  connection.close()
  return rate
}

/** Events of about 950 bytes, 250 of which are the payload's. */
function sampleEvents(count: number): NewStreamEvent[] {
  const pad = 'x'.repeat(250)
  return Array.from({ length: count }, () => {
    const id = ids.random()
    const data = { service_type: 'baremetal', resource_id: id, name: 'node-17', pad }
    return newEvent(0, { id, source_event_id: id, resource_id: id, data, atMs: clock.now() })
  })
}

function perSecond(count: number, begun: number): number {
  return Math.round(count / ((performance.now() - begun) / 1000))
}

function figure(
  metric: string,
  params: BenchResult['params'],
  value: number,
  baseline?: NonNullable<BenchResult['baseline']>,
): BenchResult {
  const result = { metric, params, value, unit: '1/s' }
  if (baseline === undefined) return result
  return { ...result, baseline, ratio: Math.round((value / baseline.value) * 100) / 100 }
}
