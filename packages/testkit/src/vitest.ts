import { test as base, type TestContext } from 'vitest'
import { Cluster } from './cluster.ts'
import type { ClusterOptions } from './cluster-options.ts'
import type { DisposeReport } from './cluster-dispose.ts'
import { failureText, shouldPrint } from './failure-report.ts'

export { Cluster } from './cluster.ts'

/**
 * Vitest's `test` with clusters of these servers. A failing test gets the timeline of all its servers: in its output, as
 * an annotation, and as a file in the kept folder. With `disabled` its tests are skipped before anything is created.
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
    .extend('workerCluster', { scope: 'worker' }, ({ clusterOptions }, { onCleanup }) =>
      open('worker', clusterOptions, onCleanup),
    )
    .extend('fileCluster', { scope: 'file' }, ({ clusterOptions }, { onCleanup }) =>
      open('file', clusterOptions, onCleanup),
    )
    .extend('sharedCluster', async ({ fileCluster, task }) => {
      fileCluster.note(`test: ${task.name}`)
      for (const { name, spec } of fileCluster.servers) {
        if (spec.database !== undefined && !('shareWith' in spec.database)) await fileCluster.resetDatabase(name)
      }
      return fileCluster
    })
    .extend('cluster', async ({ task, skip, annotate }, { onCleanup }) => {
      if (options.disabled === true) skip(options.disabledReason ?? 'Test disabled')
      const cluster = await Cluster.create({ name: `${worker()}-${task.name}`, ...options })
      onCleanup(async () => {
        const failed = task.result?.state === 'fail'
        await attach(await cluster.dispose({ failed }), failed, { task, annotate })
      })
      return cluster
    })
}

/** Vitest's `test` with clusters that the tests fill themselves: `cluster.add(spec)`, `cluster.component(name)`. */
export const test = clusterTest()

async function open(
  scope: string,
  options: ClusterOptions,
  onCleanup: (work: () => Promise<void>) => void,
): Promise<Cluster> {
  const cluster = await Cluster.create({ name: `${scope}-${worker()}`, ...options })
  onCleanup(async () => void (await cluster.dispose()))
  await cluster.startAll()
  return cluster
}

function worker(): string {
  return process.env['VITEST_POOL_ID'] ?? '0'
}

async function attach(
  report: DisposeReport,
  failed: boolean,
  { task, annotate }: Pick<TestContext, 'task' | 'annotate'>,
): Promise<void> {
  if (!shouldPrint(failed)) return
  const text = failureText(report)
  process.stderr.write(`${text}\n`)
  // Should another Vitest refuse it: the text above has to do, and the test keeps the one error that it has.
  if (failed) await annotateEnded(task, annotate, text).catch(() => undefined)
}

/**
 * Annotates a test that has ended. Vitest (4 and 5) takes annotations only of a test in the state `run`, and looks at
 * the state when `annotate` is called, not later; but that a test has failed is known only when it is in another state.
 */
async function annotateEnded(
  task: TestContext['task'],
  annotate: TestContext['annotate'],
  text: string,
): Promise<void> {
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
