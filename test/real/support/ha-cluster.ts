import { Cluster, skipReason, type ComponentName } from '@mainstay/testkit'

import { needThat, type Skipping } from '../../support/need.ts'

/** Skips, or fails under `MAINSTAY_TEST_ALL=1`, when a server is not installed. */
export async function needComponent(ctx: Skipping, name: ComponentName): Promise<void> {
  const reason = await skipReason(name)
  needThat(ctx, reason === undefined, reason ?? '')
}

/** Runs `work` with a cluster of real servers that goes away with it. */
export async function withServers<T>(name: string, work: (cluster: Cluster) => Promise<T>): Promise<T> {
  const cluster = await Cluster.create({ name })
  let failed = true
  try {
    const result = await work(cluster)
    failed = false
    return result
  } finally {
    await cluster.dispose({ failed })
  }
}
