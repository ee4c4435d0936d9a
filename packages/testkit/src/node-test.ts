import type { TestContext } from 'node:test'
import { Cluster } from './cluster.ts'
import type { ClusterOptions } from './cluster-options.ts'
import { failureText, shouldPrint } from './failure-report.ts'
import type { ServerSpec } from './spec.ts'

export { Cluster } from './cluster.ts'

/**
 * A cluster for one test of `node:test`, cleaned up by `t.after`. A failing test gets a diagnostic with the path of the
 * kept folder, and the timeline on stderr. Source: testkit.md A13.
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
  const cluster = await Cluster.create({ name: t.name, ...options, servers })
  t.after(async () => {
    const failed = hasFailed(t)
    const report = await cluster.dispose({ failed })
    if (!shouldPrint(failed)) return
    process.stderr.write(`${failureText(report)}\n`)
    t.diagnostic(`servers' folder: ${report.keptDir ?? 'removed'}`)
  })
  return cluster
}

/** `node:test` tells in an `after` hook whether the test has passed (Node 22 and later). */
function hasFailed(t: TestContext): boolean {
  const passed: unknown = Reflect.get(t, 'passed')
  return passed === false || (Reflect.get(t, 'error') ?? null) !== null
}
