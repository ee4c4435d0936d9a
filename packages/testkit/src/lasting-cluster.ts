import { Cluster } from './cluster.ts'
import type { ClusterOptions } from './cluster-options.ts'
import { keepOf } from './cluster-dispose.ts'
import { disposeAndTell, print, shouldPrint, type Ended } from './failure-report.ts'

/**
 * A cluster that several tests use one after the other. Each test that fails with it gets the timeline as it is then; the
 * folder stays when one of them did.
 *
 *   nothing ──first test that asks──▶ started ──▶ disposed
 *      └─ never asked for, or only by tests that are switched off: nothing is created
 *
 * Source: testkit.md A9, A13.
 */
export class LastingCluster {
  readonly #options: ClusterOptions
  #cluster: Cluster | undefined
  #started: Promise<Cluster> | undefined
  #failed = false

  constructor(options: ClusterOptions) {
    this.#options = options
  }

  /** Started at the first call. A start that failed fails all its tests alike. */
  async started(): Promise<Cluster> {
    this.#started ??= this.#start()
    return await this.#started
  }

  /** A test that used the cluster has failed. */
  async noteFailure(test: string, tell: (cluster: Cluster, ended: Ended) => Promise<void>): Promise<void> {
    this.#failed = true
    const cluster = this.#cluster
    if (cluster === undefined) return
    cluster.note(`test failed: ${test}`)
    const keptDir = keepOf(cluster.options) === 'never' ? undefined : cluster.dir
    await tell(cluster, { failed: true, keptDir, warnings: cluster.warnings })
  }

  /** Throws what the clean-up throws, after its timeline was shown. */
  async dispose(): Promise<void> {
    const cluster = this.#cluster
    if (cluster === undefined) return
    const toldAlready = this.#failed
    await disposeAndTell(cluster, this.#failed, (ended) => {
      if (shouldPrint(ended.failed && !toldAlready)) print(cluster, ended)
    })
  }

  async #start(): Promise<Cluster> {
    this.#cluster = await Cluster.create(this.#options)
    await this.#cluster.startAll()
    return this.#cluster
  }
}
