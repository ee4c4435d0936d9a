import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { Cluster, type ManagedServer } from '@mainstay/testkit'
import { skipUnlessThere } from './support/component-there.ts'

async function withCluster<T>(work: (cluster: Cluster) => Promise<T>): Promise<T> {
  const cluster = await Cluster.create({ name: 'openstack', parallelStarts: 2 })
  let failed = true
  try {
    const result = await work(cluster)
    failed = false
    return result
  } finally {
    const report = await cluster.dispose({ failed })
    if (failed) process.stderr.write(`${report.timeline.split('\n').slice(-60).join('\n')}\n`)
  }
}

const auth = { 'x-auth-token': 'tester:project:admin' }

async function call(
  url: string,
  options: { method?: string; body?: string; type?: string } = {},
): Promise<{ status: number; text: string }> {
  const { method = 'GET', body, type = 'application/json' } = options
  const response = await fetch(url, {
    method,
    headers: { ...auth, 'content-type': type },
    ...(body === undefined ? {} : { body }),
  })
  return { status: response.status, text: await response.text() }
}

describe('real OpenStack services (testkit.md A11, A12.2)', { timeout: 180_000 }, () => {
  test('H-69 H-75 Glance on a socket of ours, beside another and over a restart: create, upload, show, delete later, scrub', async (ctx) => {
    await skipUnlessThere(ctx, 'glance-api')
    await skipUnlessThere(ctx, 'glance-scrubber')
    await withCluster(async (cluster) => {
      const glance = cluster.component('glance-api', { config: { delayedDelete: true } })
      const other = cluster.component('glance-api', { name: 'other-glance' })
      knowsItsSchema(glance, '/glance/db$')
      await cluster.startAll()
      cluster.component('glance-scrubber')
      expect(glance.lostConnections).toBe(0)
      const images = `${glance.url}/v2/images`
      const created = await call(images, {
        method: 'POST',
        body: JSON.stringify({ name: 'tiny', disk_format: 'raw', container_format: 'bare' }),
      })
      expect(created).toMatchObject({ status: 201 })
      const { id } = JSON.parse(created.text) as { id: string }
      const uploaded = await call(`${images}/${id}/file`, {
        method: 'PUT',
        body: 'the image',
        type: 'application/octet-stream',
      })
      expect(uploaded).toMatchObject({ status: 204 })
      await glance.restart()
      const shown = await call(`${images}/${id}`)
      expect([shown.status, (JSON.parse(shown.text) as { status: string }).status]).toEqual([200, 'active'])
      expect(JSON.parse((await call(`${other.url}/v2/images`)).text)).toMatchObject({ images: [] })
      const file = join(glance.folders.dataDir, 'images', id)
      expect(existsSync(file)).toBe(true)
      expect((await call(`${images}/${id}`, { method: 'DELETE' })).status).toBe(204)
      const status = async (): Promise<unknown> =>
        (await glance.sql('select status from images where id = ?', [id]))[0]?.['status']
      expect(await status()).toBe('pending_delete')
      expect(existsSync(file)).toBe(true)
      expect(await cluster.start('glance-scrubber')).toMatchObject({ exitCode: 0 })
      expect(await status()).toBe('deleted')
      expect(existsSync(file)).toBe(false)
      await stopsCleanly(glance, other)
    })
  })

  test('H-69 two Keystones give tokens with their own addresses, one also after a restart', async (ctx) => {
    await skipUnlessThere(ctx, 'keystone')
    await withCluster(async (cluster) => {
      const keystone = cluster.component('keystone')
      const other = cluster.component('keystone', { name: 'other', config: { adminPassword: 'configured' } })
      knowsItsSchema(keystone, '/keystone/common/sql$')
      await Promise.all([keystone.start(), other.start({ adminPassword: 'pass-of-start' })])
      expect(await addressesFor(keystone, 'pass-of-start')).toBe(401)
      expect(await addressesFor(keystone, 'test-admin-pass')).toEqual(Array(3).fill(`${keystone.url}/v3`))
      expect(await addressesFor(other, 'pass-of-start')).toEqual(Array(3).fill(`${other.url}/v3`))
      await keystone.restart()
      expect(await addressesFor(keystone, 'test-admin-pass')).toEqual(Array(3).fill(`${keystone.url}/v3`))
      await stopsCleanly(keystone, other)
      // A fresh copy has the configured password, not the template's.
      await cluster.resetDatabase('other')
      const hash = (server: ManagedServer): Promise<unknown> => server.sql('select password_hash from password')
      expect(await hash(other)).not.toEqual(await hash(keystone))
    })
  })

  test('H-69 Masakari’s API and its engine, each beside another and over a restart', async (ctx) => {
    await skipUnlessThere(ctx, 'masakari-api')
    await skipUnlessThere(ctx, 'masakari-engine')
    await withCluster(async (cluster) => {
      const masakari = cluster.component('masakari-api')
      const other = cluster.component('masakari-api', { name: 'other-api' })
      const engine = cluster.component('masakari-engine', { config: { api: 'masakari-api' } })
      const ownEngine = cluster.component('masakari-engine', { name: 'other-engine' })
      knowsItsSchema(masakari, '/masakari/db$')
      await cluster.startAll()
      expect((await call(`${masakari.url}/`)).text).toContain('v1.')
      // By hand: Debian's Masakari answers changes with 500, because it does not fit its oslo.messaging.
      await masakari.sql(
        "insert into failover_segments (deleted, uuid, name, enabled, service_type, recovery_method) values (0, ?, 'one', 1, 'COMPUTE', 'auto')",
        [randomUUID()],
      )
      const segments = ({ url }: ManagedServer): ReturnType<typeof call> => call(`${url}/v1/segments`)
      const before = await segments(masakari)
      expect(JSON.parse(before.text)).toMatchObject({ segments: [{ name: 'one' }] })
      expect(JSON.parse((await segments(other)).text)).toEqual({ segments: [] })
      expect(await engine.sql('select name from failover_segments')).toEqual([{ name: 'one' }])
      expect(await ownEngine.sql('select name from failover_segments')).toEqual([])
      await Promise.all([masakari.restart(), engine.restart()])
      expect(await segments(masakari)).toEqual(before)
      await stopsCleanly(masakari, other)
      for (const each of [engine, ownEngine]) expect(await each.stop()).toMatchObject({ clean: true })
    })
  })
})

/** What makes its template is known: an upgrade of the package migrates again. */
function knowsItsSchema(server: ManagedServer, migrations: string): void {
  const sources = [expect.stringMatching(migrations), expect.stringMatching(/-info$/)]
  expect(server.spec.database).toMatchObject({ sources: expect.arrayContaining(sources) })
}

async function stopsCleanly(...servers: readonly ManagedServer[]): Promise<void> {
  for (const server of servers) expect(await server.stop()).toMatchObject({ clean: true, escalated: false })
}

/** The identity endpoints of the catalogue that comes with a token; or why there is none. */
async function addressesFor({ url }: ManagedServer, password: string): Promise<readonly string[] | number> {
  const user = { name: 'admin', domain: { id: 'default' }, password }
  const auth = {
    identity: { methods: ['password'], password: { user } },
    scope: { project: { name: 'admin', domain: { id: 'default' } } },
  }
  const { status, text } = await call(`${url}/v3/auth/tokens`, { method: 'POST', body: JSON.stringify({ auth }) })
  if (status !== 201) return status
  const { token } = JSON.parse(text) as { token: { catalog: { endpoints: { url: string }[] }[] } }
  return token.catalog.flatMap(({ endpoints }) => endpoints.map((endpoint) => endpoint.url))
}
