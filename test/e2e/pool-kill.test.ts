import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

import { Cluster } from '@mainstay/testkit'
import { serveSpec } from 'mainstay/testkit'
import { describe, expect, test } from 'vitest'

import { createClient, type MainstayClient, type PoolVm } from '../../packages/mainstay/src/client/index.ts'
import { SeededRandom, type Random } from '../../packages/mainstay/src/core/random.ts'
import { FileCloud } from '../../packages/mainstay/src/pool/provider/command/testing/file-cloud.ts'
import { needRedis } from '../engines/support/private-redis.ts'
import { waitUntil } from '../real/lab/wait-until.ts'

const HOOK = fileURLToPath(new URL('support/killable-hook.sh', import.meta.url))
const CLIENT = fileURLToPath(new URL('support/pool-client-process.ts', import.meta.url))

const MAX_TOTAL = 6
const CHAOS_MS = 20_000

/** A worker in a process of its own. */
class Worker {
  readonly child: ChildProcess
  readonly lines: string[] = []
  readonly #ended: Promise<unknown>

  constructor(machines: string, owner: string, endpoints: readonly string[]) {
    this.child = spawn(process.execPath, [CLIENT, machines, owner, ...endpoints], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    this.#ended = once(this.child, 'close')
    this.child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      this.lines.push(...text.split('\n').filter((line) => line !== ''))
    })
  }

  async kill(signal: NodeJS.Signals): Promise<void> {
    this.child.kill(signal)
    await this.#ended
  }
}

const hook = (action: string): string[] => ['sh', HOOK, action]

function poolConfig(port: number) {
  return {
    redis_url: `redis://127.0.0.1:${port}/0`,
    installation: 'kill-test',
    cycle_ms: 500,
    master_lease_ms: 2000,
    master_renew_ms: 500,
    reconcile_period_ms: 1000,
    leak_grace_ms: 4000,
    leak_settle_ms: 500,
    max_leak_deletes: 100,
    providers: [
      {
        name: 'files',
        driver: 'command',
        command: {
          create: hook('create'),
          destroy: hook('destroy'),
          list: hook('list'),
          describe: hook('describe'),
          create_timeout_ms: 10_000,
          destroy_timeout_ms: 10_000,
          ask_timeout_ms: 10_000,
        },
      },
    ],
    groups: [
      {
        id: 'g',
        min_ready: 2,
        max_total: MAX_TOTAL,
        max_per_user: 3,
        max_spawns: 3,
        lease_ms: 2000,
        grace_ms: 1000,
        launch_timeout_ms: 15_000,
        terminating_timeout_ms: 3000,
        dirty_timeout_ms: 3000,
        check_period_ms: 3000,
        max_uses: 20,
      },
    ],
  }
}

const all = async (client: MainstayClient): Promise<PoolVm[]> => await client.pools.list({ limit: 1000 })
const pick = <T>(random: Random, from: readonly T[]): T => from[Math.floor(random.next() * from.length)]!

describe('C5 C6 C9 real processes', () => {
  test('kill -9 of clients, servers, hooks and Redis at random: nothing is lost, nothing is shared, no limit is exceeded', async (ctx) => {
    needRedis(ctx)
    const random = new SeededRandom(11)
    await using cloud = await FileCloud.create()
    const machines = join(cloud.directory, 'machines')
    const env = { FILE_CLOUD: cloud.directory, FILE_CLOUD_VOLUMES: '' }
    await using cluster = await Cluster.create({ name: 'pool-kill', mode: 'process' })
    const redis = cluster.component('redis')
    await redis.start()
    const servers = ['a', 'b'].map((name) => {
      const config = { pool: poolConfig(redis.port), log: { level: 'error' } }
      return cluster.add(serveSpec({ name, roles: ['api', 'pool'], env, config }))
    })
    for (const server of servers) await server.start()
    const endpoints = servers.map(({ url }) => url)
    const clients = endpoints.map((endpoint) => createClient({ endpoint, timeoutMs: 10_000 }))
    const hire = (index: number): Worker => new Worker(machines, `u${index % 3}`, endpoints)
    const workers = Array.from({ length: 6 }, (_, index) => hire(index))
    const seen: string[] = []
    const kills = { worker: 0, server: 0, hook: 0, redis: 0 }
    const excess: string[] = []

    const blows: readonly (() => Promise<void>)[] = [
      async () => {
        const index = Math.floor(random.next() * workers.length)
        await workers[index]!.kill('SIGKILL')
        seen.push(...workers[index]!.lines)
        workers[index] = hire(index)
        kills.worker += 1
      },
      async () => {
        const server = pick(random, servers)
        await server.kill()
        await server.start()
        kills.server += 1
      },
      async () => {
        const running = await readdir(join(cloud.directory, 'hooks')).catch(() => [])
        const pid = Number(pick(random, running) ?? 0)
        if (pid > 1 && killed(pid)) kills.hook += 1
      },
      async () => {
        await redis.kill()
        await redis.start()
        kills.redis += 1
      },
    ]
    const end = Date.now() + CHAOS_MS
    for (let blow = 0; Date.now() < end; blow += 1) {
      await sleep(300)
      // Every kind has its turn, and those that hit often do it more often.
      await blows[blow % 5 === 4 ? 3 : blow % 3]!()
      excess.push(...(await tooMany(pick(random, clients))))
    }

    for (const worker of workers) await worker.kill('SIGTERM')
    seen.push(...workers.flatMap(({ lines }) => lines))
    const [client] = clients
    await waitUntil(async () => (await client!.pools.requests()).length === 0, {
      timeoutMs: 60_000,
      what: 'an empty queue',
    })
    await waitUntil(async () => (await all(client!)).every(({ state }) => state !== 'in_use'), {
      timeoutMs: 60_000,
      what: 'the machines of killed clients back',
    })
    let apart: string[] = []
    const agree = async (): Promise<boolean> => (apart = await difference(client!, machines)).length === 0
    await waitUntil(agree, { timeoutMs: 90_000, what: 'the pool and the cloud to agree' }).catch((error: unknown) => {
      throw new Error(`They differ in: ${apart.join(', ')}`, { cause: error })
    })
    expect(seen.filter((line) => line.startsWith('SHARED'))).toEqual([])
    expect(excess).toEqual([])
    expect(seen.filter((line) => line === 'used').length, 'there was work').toBeGreaterThan(30)
    expect(kills.worker).toBeGreaterThan(2)
    expect(kills.server).toBeGreaterThan(1)
    expect(kills.redis).toBeGreaterThan(1)
  }, 240_000)
})

/** @returns whether there was something to kill */
function killed(pid: number): boolean {
  try {
    return process.kill(pid, 'SIGKILL')
  } catch {
    // It ended in this moment.
    return false
  }
}

async function tooMany(client: MainstayClient): Promise<string[]> {
  try {
    const { groups } = await client.pools.overview()
    const { terminating: _ending, stuck: _stuck, ...active } = groups[0]!.states
    const total = Object.values(active).reduce((sum, count) => sum + count, 0)
    return total > MAX_TOTAL ? [`${total} machines`] : []
  } catch {
    // The server, or its Redis, was just killed.
    return []
  }
}

/** Machines that one side knows and the other does not. */
async function difference(client: MainstayClient, machines: string): Promise<string[]> {
  const there = new Set(await readdir(machines))
  const vms = await all(client)
  const known = new Set(vms.map(({ name }) => name))
  const moving = new Set(['requested', 'building', 'terminating'])
  return [
    ...[...there].filter((name) => !known.has(name)).map((name) => `${name} is unknown`),
    ...vms.filter(({ name, state }) => !there.has(name) && !moving.has(state)).map(({ name }) => `${name} is gone`),
  ]
}
