import { readFile, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

import { Cluster } from '@mainstay/testkit'
import { serveSpec } from 'mainstay/testkit'
import { describe, expect, test } from 'vitest'

import { createClient, type MainstayClient, type PoolVm } from '../../packages/mainstay/src/client/index.ts'
import { errorCode } from '../../packages/mainstay/src/core/errors.ts'
import { SeededRandom, type Random } from '../../packages/mainstay/src/core/random.ts'
import { SystemClock } from '../../packages/mainstay/src/core/clock.ts'
import type { PoolChange } from '../../packages/mainstay/src/pool/change.ts'
import { FileCloud } from '../../packages/mainstay/src/pool/provider/command/testing/file-cloud.ts'
import { DEFAULT_POOL_PREFIX } from '../../packages/mainstay/src/pool/redis/store.ts'
import type { PoolStore } from '../../packages/mainstay/src/pool/store.ts'
import { brokenRules } from '../../packages/mainstay/src/pool/testing/broken-rules.ts'
import { ChangeLedger } from '../../packages/mainstay/src/pool/testing/change-ledger.ts'
import { labelOptions } from '../../packages/mainstay/src/pool/testing/counts.ts'
import { needRedis } from '../engines/support/private-redis.ts'
import { redisPool } from '../engines/support/redis-pool.ts'
import { waitUntil } from '../real/lab/wait-until.ts'
import { programSpec } from '../support/managed-process.ts'

const HOOK = fileURLToPath(new URL('support/killable-hook.sh', import.meta.url))
const CLIENT = fileURLToPath(new URL('support/pool-client-process.ts', import.meta.url))

/** How often each is killed at the least; until then it goes on, for no longer than {@link PATIENCE_MS}. */
const LEAST_KILLS = { worker: 10, server: 5, hook: 8, redis: 5 }
const PATIENCE_MS = 120_000

/** How long a hook that makes a machine is waited for, so that one is killed and not missed. */
const HOOK_PATIENCE_MS = 3000

/** Over both groups. */
const LABEL_MAX_TOTAL = 7

const SEED = Number(process.env['POOL_KILL_SEED'] ?? 11)

/**
 * Why a worker may get nothing: the pool gave its reasons; or a server or Redis was killed, and it was told so. With what
 * it used it may be told, for the same reasons, that nobody could confirm in the time of its lease that it was given back.
 */
const REASONS = [
  /^refused MS_CLIENT_RELEASE_UNCONFIRMED: .+(?:took longer than \d+ ms|Redis at \S+ (?:cannot be reached|could not be asked)|No answer from).+the pool takes it back by itself/,
  /^refused MS_API_REFUSED: No machine can be handed to \w+ now: .+ask again later/i,
  /^refused MS_API_REFUSED: The request \S+ got no machine: it is expired \(it waited for as long as it wanted to\)/,
  /^refused MS_API_REFUSED: .*Redis at \S+ (?:cannot be reached|could not be asked)/,
  /^refused MS_SERVER_UNREACHABLE: No answer from/,
  // The server that granted it was killed, and the lease of two seconds was over before another could tell.
  /^refused MS_API_REFUSED: The request \S+ was granted, and its lease has ended since: .+Make a new one/,
]

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
    max_held_per_user: 3,
    max_held_per_sandbox: 2,
    max_held_per_arch: { x86_64: 3 },
    labels: [{ label: 'both', max_total: LABEL_MAX_TOTAL }],
    groups: [
      { ...GROUP, id: 'g', min_ready: 2, max_total: 5, max_per_user: 3, max_spawns: 3, spawn_interval_ms: 150 },
      {
        ...GROUP,
        id: 'h',
        min_ready: 1,
        max_total: 3,
        max_per_user: 2,
        max_per_sandbox: 1,
        max_in_use: 2,
        max_spawns: 1,
      },
    ],
  }
}

const GROUP = {
  labels: ['both'],
  lease_ms: 2000,
  grace_ms: 1000,
  launch_timeout_ms: 15_000,
  terminating_timeout_ms: 3000,
  dirty_timeout_ms: 3000,
  check_period_ms: 3000,
  max_uses: 20,
}

const all = async (client: MainstayClient): Promise<PoolVm[]> => await client.pools.list({ limit: 1000 })
const LABELS = [labelOptions({ label: 'both', maxTotal: LABEL_MAX_TOTAL })]
const pick = <T>(random: Random, from: readonly T[]): T => from[Math.floor(random.next() * from.length)]!

describe('C3 C5 C6 C9 real processes', () => {
  test(`kill -9 of clients, servers, hooks and Redis at random (POOL_KILL_SEED=${SEED}): nothing is lost, nothing is shared, no limit is exceeded`, async (ctx) => {
    needRedis(ctx)
    const random = new SeededRandom(SEED)
    await using cloud = await FileCloud.create()
    const machines = join(cloud.directory, 'machines')
    const env = { FILE_CLOUD: cloud.directory, FILE_CLOUD_VOLUMES: '' }
    await using cluster = await Cluster.create({ name: 'pool-kill', mode: 'process' })
    const redis = cluster.component('redis')
    await redis.start()
    await using observed = await observe(redis.port)
    const servers = ['a', 'b'].map((name) => {
      const config = { pool: poolConfig(redis.port), log: { level: 'error' } }
      return cluster.add(serveSpec({ name, roles: ['api', 'pool'], env, config, dependsOn: ['redis'] }))
    })
    for (const server of servers) await server.start()
    const endpoints = servers.map(({ url }) => url)
    const [client] = endpoints.map((endpoint) => createClient({ endpoint, timeoutMs: 10_000 }))
    const workers = Array.from({ length: 9 }, (_, index) => {
      const command = [process.execPath, CLIENT, machines, `u${index % 3}`, ...endpoints]
      return cluster.add(programSpec(`worker-${index}`, command))
    })
    for (const worker of workers) await worker.start()
    const kills = { worker: 0, server: 0, hook: 0, redis: 0 }

    const blows: Readonly<Record<keyof typeof kills, () => Promise<boolean>>> = {
      worker: async () => {
        const worker = pick(random, workers)
        await worker.kill()
        await worker.start()
        return true
      },
      server: async () => {
        const server = pick(random, servers)
        await server.kill()
        await server.start()
        return true
      },
      hook: async () => await killHook(cloud.directory, 'create'),
      redis: async () => {
        await redis.kill()
        await redis.start()
        return true
      },
    }
    const missing = (): (keyof typeof kills)[] => names.filter((each) => kills[each] < LEAST_KILLS[each])
    const names = Object.keys(kills) as (keyof typeof kills)[]
    const end = performance.now() + PATIENCE_MS
    while (missing().length > 0 && performance.now() < end) {
      await sleep(100 + random.next() * 400)
      // Any of them, and more often one that has not had its share.
      const one = pick(random, [...names, ...missing(), ...missing()])
      if (await blows[one]()) kills[one] += 1
      await observed.look()
    }
    expect(missing().map((each) => `${each} was killed ${kills[each]} times`)).toEqual([])

    for (const worker of workers) await worker.stop({ graceMs: 60_000, killAfterMs: 70_000, deadlineMs: 80_000 })
    const seen = workers.flatMap((worker) => worker.logs().map(({ text }) => text))
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
    expect(seen.filter((line) => line.startsWith('refused') && !REASONS.some((each) => each.test(line)))).toEqual([])
    expect(seen.filter((line) => line === 'used').length, 'there was work').toBeGreaterThan(30)
    const { ledger, violations } = await observed.judge()
    expect(violations).toEqual([])
    expect(ledger.broken).toEqual([])
    // Limits that nobody comes near prove nothing.
    expect(Object.fromEntries(ledger.most)).toMatchObject({
      'label both': LABEL_MAX_TOTAL,
      'h in use': 2,
      'h spawning': 1,
    })
  }, 360_000)
})

/** Looks at the pool from beside it: at moments, and at every change that Redis keeps. */
async function observe(port: number) {
  const store = await redisPool(port, DEFAULT_POOL_PREFIX)
  const violations = new Set<string>()
  const changes: PoolChange[] = []
  const stopping = new AbortController()
  const news = store.changes({ signal: stopping.signal })
  const watching = (async () => {
    for await (const each of news) {
      if (each.kind === 'gap') violations.add('changes were missed')
      else changes.push(each.change)
    }
  })()
  return {
    look: async (): Promise<void> => {
      for (const each of await brokenNow(store)) violations.add(each)
    },
    judge: async () => {
      const configuration = await store.configuration()
      const ledger = new ChangeLedger(configuration, LABELS)
      for (const change of changes) ledger.apply(change)
      for (const each of await brokenNow(store)) violations.add(each)
      return { ledger, violations: [...violations] }
    },
    [Symbol.asyncDispose]: async () => {
      stopping.abort()
      await watching
      await store[Symbol.asyncDispose]()
    },
  }
}

async function brokenNow(store: PoolStore): Promise<string[]> {
  try {
    return await brokenRules(store, await store.configuration(), LABELS)
  } catch (error) {
    // Redis was just killed.
    if (errorCode(error) === 'MS_REDIS_UNAVAILABLE') return []
    throw error
  }
}

/** Kills a hook that runs now, or begins soon. @returns whether there was one */
async function killHook(directory: string, action: string): Promise<boolean> {
  const clock = new SystemClock()
  const end = clock.monotonic() + HOOK_PATIENCE_MS
  for (; clock.monotonic() < end; await sleep(20)) {
    for (const pid of await readdir(join(directory, 'hooks')).catch(() => [])) {
      const file = join(directory, 'hooks', pid)
      const does = await readFile(file, 'utf8').catch(() => '')
      // What a hook that was killed before had written down is still there, and its number may be another's by now.
      const runs = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
      if (!runs.includes(HOOK)) await rm(file, { force: true })
      else if (does.trim() === action && killed(Number(pid))) return true
    }
  }
  return false
}

/** @returns whether there was something to kill */
function killed(pid: number): boolean {
  try {
    return process.kill(pid, 'SIGKILL')
  } catch {
    // It ended in this moment.
    return false
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
