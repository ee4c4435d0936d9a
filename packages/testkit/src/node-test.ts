import type { TestContext } from 'node:test'
import { Cluster } from './cluster.ts'
import type { ClusterOptions } from './cluster-options.ts'
import { TestkitError } from './errors.ts'
import { disposeAndTell, print, shouldPrint } from './failure-report.ts'
import { skipIfDisabled } from './requirements.ts'
import type { ServerSpec } from './spec.ts'

export { Cluster } from './cluster.ts'

/**
 * A cluster for one test of `node:test` and its subtests, cleaned up by `t.after`. When one of them fails there is a
 * diagnostic with the path of the kept folder, and the timeline on stderr. Source: testkit.md A13.
 *
 * @throws TestkitError TK_CLUSTER_CLOSED with `disabled`: the test ends here and counts as skipped
 *
 * @example
 * test('answers', async (t) => {
 *   const cluster = await withCluster(t, [api])
 *   await cluster.startAll()
 * })
 */
export async function withCluster(
  t: TestContext,
  servers: readonly ServerSpec[],
  options: ClusterOptions = {},
): Promise<Cluster> {
  skipWhenDisabled(t, options)
  const cluster = await Cluster.create({ name: t.fullName, ...options, servers })
  let subtestFailed = false
  // A test knows of a subtest's failure only after its own clean-up.
  t.afterEach((subtest) => {
    subtestFailed ||= hasFailed(subtest)
  })
  t.after(() =>
    disposeAndTell(cluster, subtestFailed || hasFailed(t), (ended) => {
      if (!shouldPrint(ended.failed)) return
      print(cluster, ended)
      t.diagnostic(`servers' folder: ${ended.keptDir ?? 'removed'}`)
    }),
  )
  return cluster
}

/**
 * `t.skip()` does not end a test, so an error has to. A skipped test that throws counts as skipped, but fails the test or
 * suite around it unless it is `todo` as well.
 */
function skipWhenDisabled(t: TestContext, options: ClusterOptions): void {
  const reason = skipIfDisabled(options)
  if (reason === undefined) return
  t.todo(reason)
  t.skip(reason)
  throw new TestkitError('TK_CLUSTER_CLOSED', reason)
}

/** `node:test` tells in its hooks whether the test has passed (Node 22 and later). */
function hasFailed(t: object): boolean {
  const passed: unknown = Reflect.get(t, 'passed')
  return passed === false || (Reflect.get(t, 'error') ?? null) !== null
}
