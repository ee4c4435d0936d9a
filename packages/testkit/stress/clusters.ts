import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Cluster } from '../src/index.ts'
import { pollUntil } from '../src/clock.ts'
import { findByEnvironment } from '../src/process/process-table.ts'

/**
 * Many clusters in several processes at once; counts what must be 0: port clashes, orphans, folders and leases left.
 *
 *     node stress/clusters.ts --workers 4 --clusters 50 [--json]
 *
 * Each cluster has one server with an inherited socket and one with a leased port.
 */
interface WorkerReport {
  readonly markers: readonly string[]
  readonly clashes: number
  readonly failures: readonly string[]
}

const { values } = parseArgs({
  options: {
    workers: { type: 'string', default: '4' },
    clusters: { type: 'string', default: '50' },
    json: { type: 'boolean', default: false },
    worker: { type: 'boolean', default: false },
  },
})

if (values.worker) await work(Number(values.clusters))
else await lead(Number(values.workers), Number(values.clusters))

async function lead(workers: number, clusters: number): Promise<void> {
  const home = mkdtempSync(join(tmpdir(), 'testkit-stress-'))
  const startedAt = performance.now()
  const reports = await Promise.all(Array.from({ length: workers }, () => startWorker(home, clusters)))
  const seconds = (performance.now() - startedAt) / 1000
  const markers = reports.flatMap((report) => report.markers)
  const count = (folder: string): number => readdirSync(join(home, folder)).length
  // The reapers end by themselves a moment after their processes.
  await pollUntil(() => count('ports') + count('runs') === 0, { timeoutMs: 3000 })
  const result = {
    workers,
    clusters: markers.length,
    seconds: Math.round(seconds * 10) / 10,
    clashes: reports.reduce((sum, report) => sum + report.clashes, 0),
    orphans: markers.flatMap((marker) => findByEnvironment([marker])).length,
    leakedFolders: count('runs'),
    leakedLeases: count('ports'),
    failures: reports.flatMap((report) => report.failures).length,
  }
  for (const failure of reports.flatMap((report) => report.failures)) process.stderr.write(`${failure}\n`)
  process.stdout.write(
    values.json
      ? `${JSON.stringify(result)}\n`
      : `${Object.entries(result)
          .map(([key, value]) => `${key} ${value}`)
          .join(', ')}\n`,
  )
  rmSync(home, { recursive: true, force: true })
  if (result.clashes + result.orphans + result.leakedFolders + result.leakedLeases + result.failures > 0)
    process.exitCode = 1
}

async function startWorker(home: string, clusters: number): Promise<WorkerReport> {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), '--worker', '--clusters', String(clusters)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, MAINSTAY_TESTKIT_DIR: home },
  })
  let text = ''
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString()
  })
  await new Promise((resolve) => {
    child.once('close', resolve)
  })
  return JSON.parse(text) as WorkerReport
}

async function work(clusters: number): Promise<void> {
  const command = [process.execPath, fileURLToPath(new URL('../fixtures/http-server.mjs', import.meta.url))]
  const markers: string[] = []
  const failures: string[] = []
  let clashes = 0
  for (let round = 0; round < clusters; round++) {
    const cluster = await Cluster.create({
      name: 'stress',
      servers: [
        { name: 'inherits', command, listen: [{ name: 'http' }] },
        {
          name: 'binds',
          command,
          listen: [{ name: 'http', handover: 'none' }],
          env: ({ port }) => ({ LISTEN_PORT: String(port) }),
        },
      ],
    })
    markers.push(cluster.marker)
    try {
      await cluster.startAll()
      for (const server of cluster.servers) {
        clashes += server.failedAttempts.length
        const response = await fetch(`${server.url}/pid`)
        const told = (await response.json()) as { pid: number }
        if (told.pid !== server.pid) failures.push(`${server.name}: pid ${told.pid} answered, not ${server.pid}`)
      }
    } catch (error) {
      failures.push(String(error))
    } finally {
      await cluster.dispose()
    }
  }
  process.stdout.write(JSON.stringify({ markers, clashes, failures } satisfies WorkerReport))
}
