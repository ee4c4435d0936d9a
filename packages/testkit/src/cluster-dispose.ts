import { findingsText } from './diagnostics/collect.ts'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pauseMs } from './clock.ts'
import { TestkitError, reasonOf } from './errors.ts'
import type { Cluster } from './cluster.ts'
import { timelineFile } from './cluster-names.ts'
import type { ClusterOptions } from './cluster-options.ts'
import type { ClusterDatabases } from './database/cluster-databases.ts'
import { release } from './exit-guard.ts'
import type { DiskLimit } from './faults/disk-full.ts'
import type { ProxyBoard } from './faults/proxy-board.ts'
import { removeQuietly } from './home.ts'
import { endStragglers } from './process/server-process.ts'
import type { ReaperClient } from './reaper/reaper-client.ts'
import { keptFile, limitKeptFolders } from './reaper/sweep.ts'
import type { ManagedServer } from './server.ts'

export interface DisposeOptions {
  /** The test failed: diagnostics are taken, and the folder is kept unless `keep` says otherwise. */
  readonly failed?: boolean
  /** Why it happens, for the timeline. */
  readonly reason?: string
}

export interface DisposeReport {
  /** The folder, when it was kept. */
  readonly keptDir: string | undefined
  /** The timeline's file in the kept folder. */
  readonly timelineFile: string | undefined
  readonly timeline: string
  readonly warnings: readonly string[]
}

/** The clean-up failed, after all of its steps ran. `errors` has what each of them threw. */
export class DisposeError extends AggregateError {
  override readonly name = 'DisposeError'
  readonly report: DisposeReport

  constructor(errors: readonly unknown[], report: DisposeReport) {
    const kept = report.keptDir === undefined ? '' : `; kept in ${report.keptDir}`
    super(errors, `clean-up failed: ${errors.map(reasonOf).join('; ')}${kept}`)
    this.report = report
  }
}

interface Parts {
  readonly cluster: Cluster
  readonly proxies: ProxyBoard
  readonly disks: readonly DiskLimit[]
  readonly databases: ClusterDatabases
  readonly reaper: ReaperClient
  readonly onDispose: readonly (() => Promise<void> | void)[]
}

/**
 * The clean-up. Every step runs whatever the others did; failures are collected and thrown together at the end. All of
 * it takes at most 15 s and 1 s per server. Source: testkit.md A10.
 */
export async function disposeCluster(parts: Parts, options: DisposeOptions): Promise<DisposeReport> {
  const { cluster, reaper } = parts
  const errors: unknown[] = []
  const deadlineAt = performance.now() + 15_000 + 1000 * cluster.servers.length
  const step = async (name: string, work: () => unknown): Promise<void> => {
    try {
      await withinBudget(name, Math.max(100, deadlineAt - performance.now()), work)
    } catch (error) {
      errors.push(error)
    }
  }
  cluster.note(`clean-up${options.reason === undefined ? '' : ` (${options.reason})`}`)
  await step('proxies', () => parts.proxies.close())
  if (options.failed === true) await step('diagnostics', () => noteDiagnostics(cluster))
  // Servers stop their own paused processes first; dependants before what they depend on.
  for (const group of inReverse(cluster)) {
    await Promise.all(group.map((server) => step(`stop ${server.name}`, () => server.dispose())))
  }
  await step('stragglers', () => endStragglers([cluster.marker]))
  // Only now is everything read that the servers said.
  await step('clean logs', () => {
    if (cluster.options.cleanLogs !== undefined) cluster.expectCleanLogs(cluster.options.cleanLogs)
  })
  for (const work of parts.onDispose.toReversed()) await step('own clean-up', work)
  await step('databases', () => parts.databases.close())
  // The last first: it may be mounted below another.
  for (const disk of parts.disks.toReversed()) await step(`unmount ${disk.folder}`, () => disk.undo())
  await step('files', () => {
    for (const path of cluster.filesToDestroy) removeQuietly(path)
  })
  const failed = options.failed === true || errors.length > 0
  let keptDir: string | undefined
  await step('folder', () => {
    keptDir = finishFolder(cluster, failed)
  })
  reaper.tell({ event: 'forget-dir', path: cluster.dir })
  reaper.tell({ event: 'forget-run', marker: cluster.marker })
  release(cluster)
  const report: DisposeReport = {
    keptDir,
    timelineFile: keptDir === undefined ? undefined : join(keptDir, timelineFile),
    // Only a red test's is ever looked at.
    get timeline() {
      return cluster.timelineText()
    },
    warnings: [...cluster.warnings],
  }
  if (errors.length > 0) throw new DisposeError(errors, report)
  return report
}

async function withinBudget(name: string, ms: number, work: () => unknown): Promise<void> {
  const done = new AbortController()
  const late = async (): Promise<void> => {
    await pauseMs(ms, done.signal)
    if (!done.signal.aborted) throw new Error(`clean-up step "${name}" was not done in its time`)
  }
  try {
    await Promise.race([Promise.resolve().then(work), late()])
  } finally {
    done.abort()
  }
}

/** Of every process that runs: the one that the test waited for in vain may well be ready and hang. */
async function noteDiagnostics(cluster: Cluster): Promise<void> {
  const running = cluster.servers.filter((server) => server.pid !== undefined)
  await Promise.all(
    running.map(async (server) => {
      // What it said stands in the timeline already.
      const { output: _, ...findings } = (await server.diagnostics()).findings
      cluster.note(`diagnostics of ${server.name}:\n${findingsText(findings)}`)
    }),
  )
}

/** Groups that may stop side by side: the last group of dependants first. */
function inReverse(cluster: Cluster): ManagedServer[][] {
  const known = new Map(cluster.servers.map((server) => [server.name, server]))
  // A circle was refused by the start; it must not keep the clean-up from ending.
  const depth = (server: ManagedServer, path: readonly string[] = []): number => {
    if (path.includes(server.name)) return 0
    const needs = (server.spec.dependsOn ?? []).map((name) => known.get(name)).filter((need) => need !== undefined)
    return 1 + Math.max(-1, ...needs.map((need) => depth(need, [...path, server.name])))
  }
  const groups = new Map<number, ManagedServer[]>()
  for (const server of cluster.servers) groups.set(depth(server), [...(groups.get(depth(server)) ?? []), server])
  return [...groups.entries()].sort(([a], [b]) => b - a).map(([, group]) => group)
}

/** Removed when green, kept when red, unless told otherwise. */
function finishFolder(cluster: Cluster, failed: boolean): string | undefined {
  const keep = keepOf(cluster.options)
  if (keep === 'never' || (keep === 'fail' && !failed)) {
    removeQuietly(cluster.dir)
    return undefined
  }
  if (!existsSync(cluster.dir)) return undefined
  cluster.writeTimeline()
  writeFileSync(join(cluster.dir, keptFile), '')
  limitKeptFolders()
  return cluster.dir
}

/** Whether a cluster's folder stays. Throws TK_BAD_SPEC for a word that is none of the three. */
export function keepOf(options: ClusterOptions): 'always' | 'fail' | 'never' {
  const given = process.env['MAINSTAY_TESTKIT_KEEP']
  const keep: string = options.keep ?? (given === undefined || given === '' ? 'fail' : given)
  if (keep === 'always' || keep === 'fail' || keep === 'never') return keep
  const name = options.keep === undefined ? 'MAINSTAY_TESTKIT_KEEP' : 'keep'
  throw new TestkitError('TK_BAD_SPEC', `${name}=${keep} is neither "always", "fail" nor "never"`)
}
