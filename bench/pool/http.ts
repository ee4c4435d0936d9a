import { Cluster } from '@mainstay/testkit'
import { serveSpec } from 'mainstay/testkit'

import { createClient, type MainstayClient } from '../../packages/mainstay/src/client/index.ts'

export interface HttpFigures {
  /** How long each acquire took, in milliseconds, as the client saw it. */
  readonly acquireMs: readonly number[]
  readonly pairs: number
  readonly elapsedMs: number
}

export interface HttpLoad {
  readonly store: 'redis' | 'sqlite'
  /** Ready machines. */
  readonly vms: number
  readonly inFlight: number
  readonly warmUpMs: number
  readonly durationMs: number
}

const PATIENCE_MS = 120_000

/**
 * Acquires and releases over HTTP from `mainstay serve` in a process of its own, whose machines are simulated and ready: what a
 * worker waits when a machine is there.
 */
export async function acquireOverHttp(load: HttpLoad): Promise<HttpFigures> {
  await using cluster = await Cluster.create({ name: 'bench-pool-http', mode: 'process' })
  const redis = load.store === 'redis' ? cluster.component('redis') : null
  await redis?.start()
  const place = redis === null ? {} : { redis_url: `redis://127.0.0.1:${redis.port}/0`, installation: 'bench' }
  const group = {
    id: 'g',
    min_ready: load.vms,
    max_total: 0,
    max_spawns: 0,
    max_per_user: 0,
    dirty_timeout_ms: 86_400_000,
  }
  const providers = [{ name: 'sim', driver: 'simulated', simulated: { build_ms: 0 } }]
  const config = { log: { level: 'error' }, pool: { ...place, providers, groups: [group] } }
  const dependsOn = redis === null ? [] : ['redis']
  const server = cluster.add(serveSpec({ name: 'serve', roles: ['api', 'pool'], config, dependsOn }))
  await server.start()
  const client = createClient({ endpoint: server.url })
  await filled(client, load.vms)
  await run(client, load.inFlight, load.warmUpMs)
  return await run(client, load.inFlight, load.durationMs)
}

async function filled(client: MainstayClient, vms: number): Promise<void> {
  const end = performance.now() + PATIENCE_MS
  for (;;) {
    const { groups } = await client.pools.overview()
    if ((groups[0]?.free ?? 0) >= vms) return
    if (performance.now() > end) throw new Error(`The pool has ${groups[0]?.free} of ${vms} machines.`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

async function run(client: MainstayClient, inFlight: number, durationMs: number): Promise<HttpFigures> {
  const acquireMs: number[] = []
  const startedAt = performance.now()
  const worker = async (index: number): Promise<void> => {
    while (performance.now() - startedAt < durationMs) {
      const before = performance.now()
      const [lease] = await client.pools.grant({ worker: `w${index}`, sandbox: `s${index}`, groups: ['g'] })
      acquireMs.push(performance.now() - before)
      await client.pools.release(lease!)
    }
  }
  await Promise.all(Array.from({ length: inFlight }, async (_, index) => await worker(index)))
  return { acquireMs, pairs: acquireMs.length, elapsedMs: performance.now() - startedAt }
}
