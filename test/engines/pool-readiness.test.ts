import { Cluster, skipReason, type ManagedServer } from '@mainstay/testkit'
import { serveSpec } from 'mainstay/testkit'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi, type TestContext } from 'vitest'

import { isJsonObject, parseJson, type JsonObject } from '../../packages/mainstay/src/core/json.ts'
import { needThat } from '../support/need.ts'
import { connectTo } from './support/redis-pool.ts'

/** What /health/ready says of the pool's Redis: of a whole server, and of one that does without its pool. */

const patience = { timeout: 60_000, interval: 50 }

let reason: string | undefined
let cluster: Cluster | undefined
let redis: ManagedServer

async function serve(name: string, options: Readonly<Record<string, unknown>> = {}): Promise<ManagedServer> {
  const pool = {
    redis_url: `redis://127.0.0.1:${redis.port}/0`,
    installation: 'test',
    groups: [{ id: 'a' }],
    providers: [{ name: 'sim', driver: 'simulated' }],
    ...options,
  }
  const server = cluster!.add(serveSpec({ name, config: { log: { level: 'silent' }, pool }, dependsOn: ['redis'] }))
  await server.start()
  return server
}

async function ready({ url }: ManagedServer): Promise<{ readonly status: number; readonly pool: unknown }> {
  const answer = await fetch(`${url}/health/ready`)
  const body = parseJson(await answer.text(), 'the answer')
  const checks: JsonObject = isJsonObject(body) && isJsonObject(body['checks']) ? body['checks'] : {}
  return { status: answer.status, pool: checks['pool'] }
}

beforeAll(async () => {
  reason = await skipReason('redis')
  if (reason !== undefined) return
  cluster = await Cluster.create({ name: 'pool-readiness', mode: 'inline' })
  redis = cluster.component('redis')
  await redis.start()
}, 120_000)

afterAll(async () => {
  await cluster?.dispose()
}, 60_000)

beforeEach((ctx: TestContext) => needThat(ctx, reason === undefined, reason ?? ''))

describe('C16 readiness and the memory of the pool', { timeout: 120_000 }, () => {
  test('C16 not ready while Redis is full or away, and ready again after that', async () => {
    const needing = await serve('needing')
    const lenient = await serve('lenient', { needed_for_ready: false })
    await vi.waitFor(async () => expect(await ready(needing)).toEqual({ status: 200, pool: 'ok' }), patience)

    const connection = await connectTo(redis.port)
    await connection.ask(['CONFIG', 'SET', 'maxmemory', '1'])
    expect(await ready(needing), 'it answers, and refuses changes').toMatchObject({ status: 503 })
    expect((await ready(needing)).pool).not.toBe('ok')
    const told = await ready(lenient)
    expect(told).toMatchObject({ status: 200 })
    expect(told.pool).not.toBe('ok')
    await connection.ask(['CONFIG', 'SET', 'maxmemory', '0'])
    await connection.close()
    await vi.waitFor(async () => expect(await ready(needing)).toEqual({ status: 200, pool: 'ok' }), patience)

    await redis.kill()
    expect(await ready(needing)).toMatchObject({ status: 503 })
    await redis.start()
    await vi.waitFor(async () => expect(await ready(needing)).toEqual({ status: 200, pool: 'ok' }), patience)
  })
})
