import { test as base, type TestContext } from 'vitest'
import { Cluster } from './cluster.ts'
import type { ClusterOptions } from './cluster-options.ts'
import { disposeAndTell, failureText, print, shouldPrint, type Ended } from './failure-report.ts'
import { LastingCluster } from './lasting-cluster.ts'
import { skipIfDisabled } from './requirements.ts'

export { Cluster } from './cluster.ts'

/**
 * Vitest's `test` with clusters of these servers. A failing test gets the timeline of all servers that it used: in its
 * output, as an annotation, and as a file in the kept folder. With `disabled` its tests are skipped before anything is
 * created.
 *
 * - `cluster`: of this test alone; its servers are declared, not yet started.
 * - `sharedCluster`: one for the tests of a file, started; databases are reset before each test that uses it.
 * - `workerCluster`: one for a worker, started.
 *
 * Source: testkit.md A13.
 *
 * @example
 * const test = clusterTest({ servers: [api] })
 * test('answers', async ({ cluster }) => {
 *   await cluster.startAll()
 * })
 */
// The type of what is returned is Vitest's own business; it knows `cluster`, `sharedCluster` and `workerCluster`.
export function clusterTest(options: ClusterOptions = {}) {
  return base
    .extend('clusterOptions', { scope: 'worker' }, () => options)
    .extend('clusterOfWorker', { scope: 'worker' }, ({ clusterOptions }, { onCleanup }) =>
      lasting('worker', clusterOptions, onCleanup),
    )
    .extend('clusterOfFile', { scope: 'file' }, ({ clusterOptions }, { onCleanup }) =>
      lasting('file', clusterOptions, onCleanup),
    )
    .extend('workerCluster', async ({ clusterOptions, clusterOfWorker, task, skip, annotate }, { onCleanup }) => {
      skipWhenDisabled(clusterOptions, skip)
      return await lend(clusterOfWorker, { task, annotate, onCleanup })
    })
    .extend('sharedCluster', async ({ clusterOptions, clusterOfFile, task, skip, annotate }, { onCleanup }) => {
      skipWhenDisabled(clusterOptions, skip)
      return await lend(clusterOfFile, { task, annotate, onCleanup, prepare: resetDatabases })
    })
    .extend('cluster', async ({ clusterOptions, task, skip, annotate }, { onCleanup }) => {
      skipWhenDisabled(clusterOptions, skip)
      const cluster = await Cluster.create({ name: `${worker()}-${nameOf(task)}`, ...clusterOptions })
      onCleanup(() => disposeAndTell(cluster, hasFailed(task), (ended) => tell(cluster, ended, { task, annotate })))
      return cluster
    })
}

/** Vitest's `test` with clusters that the tests fill themselves: `cluster.add(spec)`, `cluster.component(name)`. */
export const test = clusterTest()

type Task = TestContext['task']
type OnCleanup = (work: () => Promise<void>) => void

/** The test that is told how it went. */
interface Told {
  readonly task: Task
  readonly annotate: TestContext['annotate']
}

function lasting(scope: string, options: ClusterOptions, onCleanup: OnCleanup): LastingCluster {
  const made = new LastingCluster({ name: `${scope}-${worker()}`, ...options })
  onCleanup(() => made.dispose())
  return made
}

/** Gives a test the use of a lasting cluster, and the test what is to be said about it. */
async function lend(
  lastingCluster: LastingCluster,
  { onCleanup, prepare, ...told }: Told & { onCleanup: OnCleanup; prepare?: (cluster: Cluster) => Promise<void> },
): Promise<Cluster> {
  const name = nameOf(told.task)
  const noteFailure = (): Promise<void> =>
    lastingCluster.noteFailure(name, (cluster, ended) => tell(cluster, ended, told))
  try {
    const cluster = await lastingCluster.started()
    cluster.note(`test: ${name}`)
    await prepare?.(cluster)
    onCleanup(async () => {
      if (hasFailed(told.task)) await noteFailure()
    })
    return cluster
  } catch (error) {
    // A fixture that failed is not cleaned up.
    await noteFailure()
    throw error
  }
}

/** Each once: those that servers have of their own, and the cluster's. */
async function resetDatabases(cluster: Cluster): Promise<void> {
  const own = cluster.servers.filter(({ spec }) => spec.database !== undefined && !('shareWith' in spec.database))
  const common = cluster.servers.find(({ spec, dbUrl }) => spec.database === undefined && dbUrl !== '')
  for (const { name } of common === undefined ? own : [...own, common]) await cluster.resetDatabase(name)
}

function skipWhenDisabled(options: ClusterOptions, skip: (note?: string) => void): void {
  const reason = skipIfDisabled(options)
  if (reason !== undefined) skip(reason)
}

/** A test that is expected to fail has failed when it passed. */
function hasFailed(task: Task): boolean {
  return task.result?.state === (task.fails === true ? 'pass' : 'fail')
}

/** Suites and test; a folder's name has the end of it. */
function nameOf(task: Task): string {
  return task.fullTestName
}

function worker(): string {
  return process.env['VITEST_POOL_ID'] ?? '0'
}

async function tell(cluster: Cluster, ended: Ended, { task, annotate }: Told): Promise<void> {
  if (!shouldPrint(ended.failed)) return
  print(cluster, ended)
  // Should another Vitest refuse it: the text above has to do, and the test keeps the one error that it has.
  if (ended.failed) await annotateEnded(task, annotate, failureText(cluster, ended)).catch(() => undefined)
}

/**
 * Annotates a test that has ended. Vitest (4 and 5) takes annotations only of a test in the state `run`, and looks at
 * the state when `annotate` is called, not later; but that a test has failed is known only when it is in another state.
 */
async function annotateEnded(task: Task, annotate: Told['annotate'], text: string): Promise<void> {
  const { result } = task
  if (result === undefined) return
  const ended = result.state
  result.state = 'run'
  let taken: Promise<unknown>
  try {
    taken = annotate(text, 'testkit')
  } finally {
    result.state = ended
  }
  await taken
}
