import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

import { Cluster, componentSpec, skipReason, type ServerSpec } from '@mainstay/testkit'

import { SqliteConnection } from '../packages/mainstay/src/store/sqlite/connection.ts'
import { startPrivatePostgres } from '../test/engines/support/private-postgres.ts'
import { load, wire, type Loaded, type Wire } from './api-load.ts'
import type { BenchOptions, BenchResult } from './run.ts'

/** See `api.md` for what is measured and how. */

const CONNECTIONS = 16
const ROUNDS = 3
const ROUND_MS = 2000
const SEGMENTS = 20
const HOSTS = 200
const NOTIFICATIONS = 1000
const POSTS = 2000
const POSTS_AT_ONCE = 4

const READS: readonly { readonly route: string; readonly target: string }[] = [
  { route: 'GET /v1/segments', target: '/v1/segments' },
  { route: 'GET /v1/notifications?limit=100', target: '/v1/notifications?limit=100' },
]

const BASELINE = 'masakari-api 14.0.2 (noauth2, two workers, SQLite)'

/** Reads and durable writes of Mainstay on both databases, beside the reads of Debian's masakari-api in the same run. */
export async function run({ log }: BenchOptions): Promise<readonly BenchResult[]> {
  const missing = await skipReason('masakari-api')
  if (missing !== undefined) throw new Error(missing)
  const directory = await mkdtemp(join(tmpdir(), 'mainstay-bench-api-'))
  await using cleanup = new AsyncDisposableStack()
  cleanup.defer(async () => await rm(directory, { recursive: true }))
  const cluster = await Cluster.create({ name: 'bench-api' })
  cleanup.defer(async () => void (await cluster.dispose()))
  const masakari = cluster.add(masakariAsShipped())
  await masakari.start()
  const path = masakari.dbUrl.replace(/^sqlite:\/+/, '/')
  fill(path)
  const data = join(directory, 'data.sqlite')
  await copyFile(path, data)

  const postgres = cleanup.use(await startPrivatePostgres())
  const onSqlite = cleanup.use(await startServer(join(directory, 'mainstay.db'), data))
  const onPostgres = cleanup.use(await startServer(postgres.url, data))
  const theirs: Target = { name: 'masakari-api', store: 'sqlite', url: new URL(masakari.url), headers: [] }
  const ours: Target[] = [
    { name: 'mainstay', store: 'sqlite', url: onSqlite.url, headers: TOKEN },
    { name: 'mainstay', store: 'postgres', url: onPostgres.url, headers: TOKEN },
  ]
  const results: BenchResult[] = []
  for (const { route, target } of READS) results.push(...(await measureRead(route, target, theirs, ours, log)))
  for (const target of ours) results.push(...(await measureWrites(target, log)))
  return results
}

/** Two workers, as the package has it on this machine, and without the debug log of tests. */
function masakariAsShipped(): ServerSpec {
  const spec = componentSpec('masakari-api')
  return {
    ...spec,
    files: (spec.files ?? []).map((file) => {
      const { content } = file
      if (file.name !== 'masakari.conf' || typeof content !== 'function') return file
      return {
        ...file,
        content: (context: Parameters<typeof content>[0]) => {
          const configured = content(context) as { DEFAULT: object }
          return { ...configured, DEFAULT: { ...configured.DEFAULT, debug: false, masakari_api_workers: 2 } }
        },
      }
    }),
  }
}

function fill(path: string): void {
  const database = new SqliteConnection({ path })
  const uuid = (kind: string, index: number): string =>
    `${kind}0000000-0000-4000-8000-${String(index).padStart(12, '0')}`
  database.exec('begin')
  for (let index = 0; index < SEGMENTS; index += 1) {
    database.query(
      `insert into failover_segments (created_at, deleted, uuid, name, service_type, recovery_method, enabled)
       values ('2025-01-01 10:00:00.000000', 0, ?, ?, 'COMPUTE', 'auto', 1)`,
      [uuid('a', index), `segment ${index}`],
    )
  }
  for (let index = 0; index < HOSTS; index += 1) {
    database.query(
      `insert into hosts (created_at, deleted, uuid, name, reserved, type, control_attributes, failover_segment_id, on_maintenance)
       values ('2025-01-01 10:00:00.000000', 0, ?, ?, 0, 'COMPUTE', 'SSH', ?, 0)`,
      [uuid('b', index), `compute${index}`, uuid('a', index % SEGMENTS)],
    )
  }
  for (let index = 0; index < NOTIFICATIONS; index += 1) {
    const second = String(index % 60).padStart(2, '0')
    database.query(
      `insert into notifications (created_at, updated_at, deleted, notification_uuid, generated_time, source_host_uuid, type, payload, status)
       values ('2025-01-02 10:00:${second}.000000', '2025-01-02 10:01:00.000000', 0, ?, '2025-01-02 10:00:${second}.000000', ?, 'COMPUTE_HOST', ?, 'finished')`,
      [
        uuid('c', index),
        uuid('b', index % HOSTS),
        '{"event": "STOPPED", "host_status": "NORMAL", "cluster_status": "OFFLINE"}',
      ],
    )
  }
  database.exec('commit')
  database.close()
}

async function startServer(target: string, data: string): Promise<AsyncDisposable & { readonly url: URL }> {
  const script = fileURLToPath(new URL('api-server.ts', import.meta.url))
  const child = spawn(process.execPath, [script, target, data], { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })
  const [line] = (await once(lines, 'line')) as [string]
  return {
    url: new URL(line),
    [Symbol.asyncDispose]: async () => {
      child.stdin.end()
      if (child.exitCode === null) await once(child, 'exit')
    },
  }
}

type Headers = readonly (readonly [name: string, value: string])[]

/** A token that every request carries; the small Keystone knows it. */
const TOKEN: Headers = [['X-Auth-Token', 'token']]

interface Target {
  readonly name: 'masakari-api' | 'mainstay'
  readonly store: 'sqlite' | 'postgres'
  readonly url: URL
  readonly headers: Headers
}

/** All targets take turns, so that what else the machine does meets each of them alike. */
async function measureRead(
  route: string,
  path: string,
  theirs: Target,
  ours: readonly Target[],
  log: (line: string) => void,
): Promise<BenchResult[]> {
  const targets = [theirs, ...ours]
  const sums = new Map<Target, Loaded>(targets.map((target) => [target, { latencies: [], elapsedMs: 0 }]))
  for (let round = 0; round <= ROUNDS; round += 1) {
    for (const target of targets) {
      const bytes = wire('GET', path, target.headers)
      const port = Number(target.url.port)
      const measured = await load({ port, connections: CONNECTIONS, request: () => bytes, durationMs: ROUND_MS })
      const sum = sums.get(target)
      // The first round is for warming up.
      if (round === 0 || sum === undefined) continue
      sums.set(target, {
        latencies: [...sum.latencies, ...measured.latencies],
        elapsedMs: sum.elapsedMs + measured.elapsedMs,
      })
    }
  }
  const baseline = rateOf(sums.get(theirs))
  return targets.flatMap((target) => {
    const { latencies = [] } = sums.get(target) ?? {}
    const rate = rateOf(sums.get(target))
    log(`${target.name} on ${target.store}: ${route}: ${Math.round(rate)} requests/s, ${round(rate / baseline)} times`)
    const auth = target === theirs ? 'noauth2' : 'keystone'
    const result = {
      metric: 'requests_per_s',
      params: { route, store: target.store, auth, target: target.name },
      value: round(rate),
      unit: '1/s',
    }
    const compared = { baseline: { name: BASELINE, value: round(baseline) }, ratio: round(rate / baseline) }
    return [target === theirs ? result : { ...result, ...compared }, ...latency(route, target, latencies)]
  })
}

async function measureWrites(target: Target, log: (line: string) => void): Promise<BenchResult[]> {
  const route = 'POST /v1/notifications'
  const shared = { port: Number(target.url.port), connections: POSTS_AT_ONCE }
  await load({ ...shared, request: post(target.headers, 'warm'), count: 200 })
  const measured = await load({ ...shared, request: post(target.headers, 'measured'), count: POSTS })
  const rate = rateOf(measured)
  const [p50, p99] = [percentile(measured.latencies, 50), percentile(measured.latencies, 99)]
  log(
    `${target.name} on ${target.store}: ${route}: ${Math.round(rate)} requests/s, p50 ${round(p50)} ms, p99 ${round(p99)} ms`,
  )
  return [
    {
      metric: 'requests_per_s',
      params: { route, store: target.store, auth: 'keystone', target: target.name },
      value: round(rate),
      unit: '1/s',
    },
    ...latency(route, target, measured.latencies),
  ]
}

function rateOf(loaded: Loaded | undefined): number {
  return loaded === undefined ? 0 : (loaded.latencies.length / loaded.elapsedMs) * 1000
}

/** A report like a monitor's, each of another process of one of the hosts. */
function post(headers: Headers, name: string): (index: number) => Wire {
  return (index) => {
    const notification = {
      type: 'PROCESS',
      hostname: `compute${index % HOSTS}`,
      generated_time: '2026-01-01T10:00:00.000000',
      payload: { event: 'STOPPED', process_name: `${name}-${index}` },
    }
    const withType = [...headers, ['Content-Type', 'application/json'] as const]
    return wire('POST', '/v1/notifications', withType, JSON.stringify({ notification }))
  }
}

function latency(route: string, { name, store }: Target, latencies: readonly number[]): BenchResult[] {
  return [50, 99].map((wanted) => ({
    metric: 'latency_ms',
    params: { route, percentile: wanted, target: name, store },
    value: round(percentile(latencies, wanted)),
    unit: 'ms',
  }))
}

function percentile(values: readonly number[], wanted: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * wanted) / 100))] ?? 0
}

function round(value: number): number {
  return Math.round(value * 100) / 100
}
