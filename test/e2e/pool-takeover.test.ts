import { Cluster } from '@mainstay/testkit'
import { serveSpec } from 'mainstay/testkit'
import { describe, expect, test } from 'vitest'

import { createClient, type MainstayClient } from '../../packages/mainstay/src/client/index.ts'
import { FileCloud } from '../../packages/mainstay/src/pool/provider/command/testing/file-cloud.ts'
import { needRedis } from '../engines/support/private-redis.ts'
import { waitUntil } from '../real/lab/wait-until.ts'

/** The limit of vm-pool.md C9 is 10 s and proved on a clock moved by hand; here are real processes on a busy machine. */
const PATIENCE_MS = 30_000

describe('C9 two real processes on one Redis', () => {
  test('C9 kill -9 of the leader: the standby takes over, and the pool is kept filled; a restart brings a new standby', async (ctx) => {
    needRedis(ctx)
    await using cloud = await FileCloud.create()
    await using cluster = await Cluster.create({ name: 'pool-takeover', mode: 'process' })
    const redis = cluster.component('redis')
    await redis.start()
    const { create, destroy, list, describe: look } = cloud.hooks
    const config = {
      log: { level: 'warn' },
      pool: {
        redis_url: `redis://127.0.0.1:${redis.port}/0`,
        installation: 'takeover-test',
        providers: [{ name: 'files', driver: 'command', command: { create, destroy, list, describe: look } }],
        groups: [{ id: 'g', min_ready: 2 }],
      },
    }
    const env = { FILE_CLOUD: cloud.directory, FILE_CLOUD_VOLUMES: '' }
    const spec = { roles: ['api', 'pool'], env, config, dependsOn: ['redis'] } as const
    const servers = ['a', 'b'].map((name) => cluster.add(serveSpec({ name, ...spec })))
    for (const server of servers) await server.start()
    const clients = servers.map(({ url }) => createClient({ endpoint: url }))
    const leaderOf = async (client: MainstayClient): Promise<string> =>
      (await client.pools.overview()).leader ?? 'nobody'
    const filled = async (client: MainstayClient): Promise<boolean> =>
      (await client.pools.list({ state: 'ready' })).length >= 2
    const [a, b] = clients
    await waitUntil(async () => await filled(b!), { timeoutMs: PATIENCE_MS, what: 'two machines' })
    const first = await leaderOf(a!)
    expect(await leaderOf(b!), 'both know who leads').toBe(first)

    const led = servers.findIndex(({ pid }) => first.includes(`:${pid}:`))
    expect(led, `${first} is one of the two`).toBeGreaterThanOrEqual(0)
    const other = clients[1 - led]!
    await servers[led]!.kill()
    // One machine is taken while nobody leads, so that the new leader has something to do.
    const lease = await other.pools.acquire({ worker: 'test', waitMs: PATIENCE_MS })
    const taken = async (): Promise<boolean> => (await leaderOf(other)) !== first
    await waitUntil(taken, { timeoutMs: PATIENCE_MS, what: 'another leader', pollMs: 100 })
    await waitUntil(async () => await filled(other), {
      timeoutMs: PATIENCE_MS,
      what: 'two machines beside the taken one',
    })

    await servers[led]!.start()
    const again = clients[led]!
    await waitUntil(async () => (await leaderOf(again)) === (await leaderOf(other)), {
      timeoutMs: PATIENCE_MS,
      what: 'the restarted process to stand by',
    })
    expect(await leaderOf(again)).not.toBe(first)
    // A lease given out by one process is kept and ended by the other.
    await again.pools.heartbeat(lease)
    await lease.release()
  }, 180_000)
})
