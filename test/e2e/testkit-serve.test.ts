import { once } from 'node:events'
import { Agent, request } from 'node:http'
import { createServer } from 'node:net'

import { Cluster, leasePort, type ClusterOptions } from '@mainstay/testkit'
import { agentSpec, serveSpec } from 'mainstay/testkit'
import { createClient } from 'mainstay/client'
import { describe, expect, onTestFinished, test } from 'vitest'

import { needPostgres } from '../engines/support/private-postgres.ts'

const FLEET = { compute: { simulated_hosts: 3, simulated_guests: 3, simulated_evacuate_ms: 50, simulated_power_ms: 5 } }

/** A number that no other test gets. */
async function ownPort(): Promise<number> {
  const lease = await leasePort()
  onTestFinished(() => lease.release())
  return lease.port
}

/** Everything of a cluster is gone when the test ends, however it ends. */
async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const cluster = await Cluster.create(options)
  try {
    await cluster.startAll()
    return cluster
  } catch (error) {
    await cluster.dispose({ failed: true })
    throw error
  }
}

describe.each(['process', 'inline'] as const)('mainstay serve in %s mode', (mode) => {
  test('recovers a host that a monitor reported', async () => {
    await using cluster = await startCluster({ mode, servers: [serveSpec({ config: FLEET })] })
    const client = createClient({ endpoint: cluster.get('mainstay').url })
    const segment = await client.segments.create({ name: 's', recovery_method: 'auto', service_type: 'COMPUTE' })
    await client.hosts.create(segment.uuid, { name: 'host-001', type: 'COMPUTE', control_attributes: 'SSH' })
    const { notification_uuid: id } = await client.notifications.create({
      type: 'COMPUTE_HOST',
      hostname: 'host-001',
      generated_time: '2026-01-01T00:00:00Z',
      payload: { event: 'STOPPED', host_status: 'NORMAL', cluster_status: 'OFFLINE' },
    })
    await expect
      .poll(async () => (await client.notifications.show(id)).status, { timeout: 30_000, interval: 50 })
      .toBe('finished')
  })

  test('keeps what it was told over a restart', async () => {
    await using cluster = await startCluster({ mode, servers: [serveSpec({ config: FLEET })] })
    const server = cluster.get('mainstay')
    const before = createClient({ endpoint: server.url })
    await before.segments.create({ name: 'kept', recovery_method: 'auto', service_type: 'COMPUTE' })
    await server.restart()
    const names = []
    for await (const { name } of createClient({ endpoint: server.url }).segments.list()) names.push(name)
    expect(names).toEqual(['kept'])
  })

  test('listens on the port that it was given, and keeps it over a restart', async () => {
    const port = await ownPort()
    await using cluster = await startCluster({ mode, servers: [serveSpec({ config: FLEET, port })] })
    const server = cluster.get('mainstay')
    expect(server.port).toBe(port)
    await server.restart()
    expect(server.port).toBe(port)
    expect((await fetch(`http://127.0.0.1:${port}/healthcheck`)).status).toBe(200)
  })

  test('one role serves requests and another does the work, on one PostgreSQL', async (ctx) => {
    needPostgres(ctx)
    await using cluster = await Cluster.create({ mode })
    const postgres = cluster.component('postgres')
    await postgres.start()
    const store = { url: `postgres://postgres@127.0.0.1:${postgres.port}/postgres` }
    for (const role of ['api', 'engine'] as const) {
      cluster.add(
        serveSpec({
          name: role,
          roles: [role],
          config: { ...FLEET, store, log: { level: 'error' } },
          dependsOn: ['postgres'],
        }),
      )
    }
    await cluster.startAll()
    const client = createClient({ endpoint: cluster.get('api').url })
    const segment = await client.segments.create({ name: 's', recovery_method: 'auto', service_type: 'COMPUTE' })
    await client.hosts.create(segment.uuid, { name: 'host-001', type: 'COMPUTE', control_attributes: 'SSH' })
    const { notification_uuid: id } = await client.notifications.create({
      type: 'COMPUTE_HOST',
      hostname: 'host-001',
      generated_time: '2026-01-01T00:00:00Z',
      payload: { event: 'STARTED', host_status: 'NORMAL', cluster_status: 'ONLINE' },
    })
    await expect
      .poll(async () => (await client.notifications.show(id)).status, { timeout: 30_000, interval: 50 })
      .toBe('finished')
  })
})

test.each([
  ['api', 200],
  ['engine', 404],
  ['pool', 404],
  ['events', 404],
] as const)(
  'the role %s alone comes up inside the test process and answers GET /v1/segments with %i',
  async (role, status) => {
    await using cluster = await startCluster({ mode: 'inline', servers: [serveSpec({ roles: [role], config: FLEET })] })
    const { url } = cluster.get('mainstay')
    expect((await fetch(`${url}/health/live`)).status).toBe(200)
    expect((await fetch(`${url}/v1/segments`)).status).toBe(status)
  },
)

describe('a restart inside the test process', () => {
  const restartOn = async (port: number): Promise<number | undefined> => {
    await using cluster = await Cluster.create({ servers: [serveSpec({ config: FLEET })] })
    const { spec } = cluster.get('mainstay')
    const server = await spec.inline!({ ...cluster.get('mainstay').context(), port })
    await server.close()
    return server.ports?.['http']
  }

  test('takes the port of before', async () => {
    const port = await ownPort()
    expect(await restartOn(port)).toBe(port)
  })

  test('takes another one when somebody has that', async () => {
    const port = await ownPort()
    const somebody = createServer().listen(port, '127.0.0.1')
    await once(somebody, 'listening')
    onTestFinished(() => void somebody.close())
    expect(await restartOn(port)).not.toBe(port)
  })
})

describe('a stop of a server of ours is strict', () => {
  test('having to use force is an error', async () => {
    await using cluster = await startCluster({ mode: 'process', servers: [serveSpec({ config: FLEET })] })
    const server = cluster.get('mainstay')
    // The server waits for the rest of this request.
    const agent = new Agent()
    onTestFinished(() => agent.destroy())
    const headers = { 'content-type': 'application/json', 'content-length': 2, expect: '100-continue' }
    const sending = request(`${server.url}/v1/segments`, { method: 'POST', headers, agent })
    sending.on('error', () => undefined)
    sending.flushHeaders()
    await once(sending, 'continue')
    await expect(server.stop({ graceMs: 100 })).rejects.toMatchObject({ code: 'TK_STOP_NOT_CLEAN' })
  })

  const nodeArguments = ['--import', 'data:text/javascript,process.on("exit", () => { process.exitCode = 3 })']
  test.each([
    ['serve', () => serveSpec({ nodeArguments })],
    ['agent', () => agentSpec({ nodeArguments, endpoint: 'http://127.0.0.1:9', libvirtSocket: '/nowhere.sock' })],
  ] as const)('mainstay %s that ends with another code than 0 is an error', async (_, spec) => {
    const cluster = await startCluster({ mode: 'process', keep: 'never', servers: [spec()] })
    await expect(cluster.dispose()).rejects.toThrow(/did not end cleanly/)
  })
})

test('a server with a wrong clock dates its records by it, until the test takes that back', async () => {
  const DAY_MS = 86_400_000
  await using cluster = await Cluster.create({ mode: 'process', servers: [serveSpec({ config: FLEET })] })
  const server = cluster.get('mainstay')
  const ageOfNew = async (name: string): Promise<number> => {
    const wanted = { name, recovery_method: 'auto', service_type: 'COMPUTE' } as const
    const { created_at } = await createClient({ endpoint: server.url }).segments.create(wanted)
    return Math.round((Date.now() - Date.parse(`${created_at}Z`)) / DAY_MS)
  }
  server.clockSkew(-3 * DAY_MS)
  await server.start()
  expect(await ageOfNew('old')).toBe(3)
  expect(server.logs({ thisRunOnly: true }).map(({ text }) => text)).toContainEqual(
    expect.stringContaining('The clock of this process is ahead by -259200000 ms'),
  )
  server.clockSkew(0)
  await server.restart()
  expect(await ageOfNew('new')).toBe(0)
})
