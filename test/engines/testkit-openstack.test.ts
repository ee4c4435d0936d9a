import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { Cluster } from '@mainstay/testkit'
import { skipUnlessThere } from './support/component-there.ts'

async function withCluster<T>(work: (cluster: Cluster) => Promise<T>): Promise<T> {
  const cluster = await Cluster.create({ name: 'openstack' })
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
  test('H-75 Glance on a socket of ours: create, upload, show, delete later, scrub', async (ctx) => {
    await skipUnlessThere(ctx, 'glance-api')
    await skipUnlessThere(ctx, 'glance-scrubber')
    await withCluster(async (cluster) => {
      const glance = cluster.component('glance-api', { config: { delayedDelete: true } })
      cluster.component('glance-scrubber')
      await glance.start()
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
      const shown = await call(`${images}/${id}`)
      expect([shown.status, (JSON.parse(shown.text) as { status: string }).status]).toEqual([200, 'active'])
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
      expect(await glance.stop()).toMatchObject({ clean: true, escalated: false })
    })
  })

  test('H-69 Keystone gives a token', async (ctx) => {
    await skipUnlessThere(ctx, 'keystone')
    await withCluster(async (cluster) => {
      const keystone = cluster.component('keystone')
      await keystone.start()
      const identity = {
        methods: ['password'],
        password: { user: { name: 'admin', domain: { id: 'default' }, password: 'test-admin-pass' } },
      }
      const login = (): Promise<{ status: number; text: string }> =>
        call(`${keystone.url}/v3/auth/tokens`, { method: 'POST', body: JSON.stringify({ auth: { identity } }) })
      expect((await login()).status).toBe(201)
      await keystone.restart()
      expect((await login()).status).toBe(201)
      expect(await keystone.stop()).toMatchObject({ clean: true, escalated: false })
    })
  })

  test('H-69 Masakari’s API answers, also after a restart', async (ctx) => {
    await skipUnlessThere(ctx, 'masakari-api')
    await withCluster(async (cluster) => {
      const masakari = cluster.component('masakari-api')
      await masakari.start()
      expect((await call(`${masakari.url}/`)).text).toContain('v1.')
      const segments = async (): Promise<{ status: number; text: string }> => call(`${masakari.url}/v1/segments`)
      const before = await segments()
      expect(before).toMatchObject({ status: 200 })
      await masakari.restart()
      expect(await segments()).toEqual(before)
      expect(await masakari.stop()).toMatchObject({ clean: true, escalated: false })
    })
  })

  test('H-69 Masakari’s engine starts and stops', async (ctx) => {
    await skipUnlessThere(ctx, 'masakari-engine')
    await withCluster(async (cluster) => {
      const engine = cluster.component('masakari-engine')
      await engine.start()
      expect(await engine.stop()).toMatchObject({ clean: true })
    })
  })
})
