import { Cluster, type ClusterOptions } from '@mainstay/testkit'
import { serveSpec } from 'mainstay/testkit'
import { createClient } from 'mainstay/client'
import { describe, expect, test } from 'vitest'

import { needPostgres } from '../engines/support/private-postgres.ts'

const FLEET = { compute: { simulated_hosts: 3, simulated_guests: 3, simulated_evacuate_ms: 50, simulated_power_ms: 5 } }

/** Everything of a cluster is gone when the test ends, however it ends. */
async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const cluster = await Cluster.create(options)
  await cluster.startAll()
  return cluster
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
})

test('one role serves requests and another does the work, on one PostgreSQL', async (ctx) => {
  needPostgres(ctx)
  await using cluster = await Cluster.create()
  const postgres = cluster.component('postgres')
  await postgres.start()
  const store = { url: `postgres://postgres@127.0.0.1:${postgres.port}/postgres` }
  cluster.add(serveSpec({ name: 'api', roles: ['api'], config: { ...FLEET, store } }))
  cluster.add(serveSpec({ name: 'engine', roles: ['engine'], config: { ...FLEET, store } }))
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
