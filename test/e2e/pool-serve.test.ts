import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { describe, expect, onTestFinished, test } from 'vitest'

import { createClient, type MainstayClient } from '../../packages/mainstay/src/client/index.ts'
import { FileCloud } from '../../packages/mainstay/src/pool/provider/command/testing/file-cloud.ts'
import { waitUntil } from '../real/lab/wait-until.ts'
import { runMainstay } from '../support/mainstay-process.ts'
import { ServeProcess } from '../support/serve-process.ts'

const PATIENCE_MS = 30_000

async function folder(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'mainstay-pool-serve-'))
  onTestFinished(async () => await rm(made, { recursive: true, force: true }))
  return made
}

interface Serving {
  readonly client: MainstayClient
  readonly server: ServeProcess
}

const SIMULATED = `
[[pool.providers]]
name = "sim"
driver = "simulated"
simulated = { build_ms = 50, destroy_ms = 20 }
`

async function serve(config: string, dataDir: string, env: Record<string, string> = {}): Promise<Serving> {
  const server = await ServeProcess.start({ dataDir, config, env })
  onTestFinished(async () => await server.kill())
  return { server, client: createClient({ endpoint: server.url }) }
}

const until = async (what: string, holds: () => Promise<boolean>): Promise<void> => {
  await waitUntil(holds, { timeoutMs: PATIENCE_MS, what, pollMs: 100 })
}

const group = (fields: string): string => `
[compute]
simulated_hosts = 1
simulated_guests = 0
[log]
level = "warn"
[pool]
cycle_ms = 500
[[pool.groups]]
${fields}
`

describe('mainstay serve with a pool', () => {
  test('C15 keeps machines ready, hands them out, and shows them in the OpenAPI document, the metrics and the events', async () => {
    const directory = await folder()
    const file = join(directory, 'mainstay.toml')
    await writeFile(file, group('id = "linux"\nmin_ready = 2') + SIMULATED)
    const { client, server } = await serve(file, join(directory, 'data'))
    await until('two machines', async () => (await client.pools.list({ state: 'ready' })).length === 2)
    await using lease = await client.pools.acquire({ worker: 'test', labels: ['linux'] })
    expect(lease.ip).toMatch(/^10\./)

    const get = async (path: string): Promise<string> => await (await fetch(server.url + path)).text()
    const openapi = JSON.parse(await get('/api/v1/openapi.json')) as { paths: Record<string, Record<string, object>> }
    const paths = Object.entries(openapi.paths).flatMap(([path, methods]) =>
      path.startsWith('/api/v1/pools') ? Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`) : [],
    )
    expect(paths).toEqual(
      expect.arrayContaining([
        'POST /api/v1/pools/leases',
        'POST /api/v1/pools/vms/{name}/heartbeat',
        'POST /api/v1/pools/vms/{name}/release',
        'DELETE /api/v1/pools/vms/{name}',
        'GET /api/v1/pools/plan',
        'GET /api/v1/pools/explain/{id}',
        'GET /api/v1/pools/changes',
      ]),
    )
    const figure = 'mainstay_pool_vms{group="linux",state="in_use"} 1'
    await until('the figure of it', async () => (await get('/metrics')).includes(figure))
    await until('the hand-over in the event log', async () => {
      const page = await get(`/v1/events/history?event=pool.vm.acquired`)
      return page.includes(lease.name)
    })
  }, 120_000)

  test('C5 C6 a restart forgets nothing: leases go on, machines stay, and what was begun is ended', async () => {
    const directory = await folder()
    await using cloud = await FileCloud.create()
    const env = { FILE_CLOUD: cloud.directory, FILE_CLOUD_VOLUMES: '' }
    const { create, destroy, list, describe: look } = cloud.hooks
    const hooks = Object.entries({ create, destroy, list, describe: look })
    const provider = `
[[pool.providers]]
name = "files"
driver = "command"
[pool.providers.command]
${hooks.map(([name, words]) => `${name} = ${JSON.stringify(words)}`).join('\n')}
`
    const file = join(directory, 'mainstay.toml')
    await writeFile(file, group('id = "linux"\nmin_ready = 1') + provider)
    const first = await serve(file, join(directory, 'data'), env)
    const [lease] = await first.client.pools.grant({ worker: 'test', taskId: 't1', waitMs: PATIENCE_MS })
    await until('a machine beside it', async () => (await first.client.pools.list({ state: 'ready' })).length === 1)
    const before = (await first.client.pools.list()).map(({ name }) => name)
    await first.server.kill()

    const second = await serve(file, join(directory, 'data'), env)
    await second.client.pools.heartbeat(lease!)
    expect(await second.client.pools.show(lease!.name)).toMatchObject({ state: 'in_use', taskId: 't1' })
    await until(
      'the machines checked again',
      async () => (await second.client.pools.list({ state: 'ready' })).length === 1,
    )
    expect((await second.client.pools.list()).map(({ name }) => name)).toEqual(before)
    await second.client.pools.release(lease!)
    expect(cloud.has(lease!.name)).toBe(true)
  }, 120_000)

  test('C20 SIGHUP: changed sizes hold at once, a removed group is drained and not forgotten, and a wrong file changes nothing', async () => {
    const directory = await folder()
    const file = join(directory, 'mainstay.toml')
    const two = (size: number): string =>
      `${group(`id = "a"\nmin_ready = ${size}\nmax_total = ${size + 1}`)}\n[[pool.groups]]\nid = "b"\nmin_ready = 1\n${SIMULATED}`
    await writeFile(file, two(3))
    const { client, server } = await serve(file, join(directory, 'data'))
    const count = async (id: string): Promise<number> =>
      (await client.pools.list({ group: id })).filter(({ state }) => state !== 'terminating').length
    await until('three and one', async () => (await count('a')) === 3 && (await count('b')) === 1)
    const used = await client.pools.acquire({ worker: 'test', groups: ['b'] })
    await until('b is full again', async () => (await count('b')) === 2)

    // Nonsense first: what runs goes on.
    await writeFile(file, '[pool]\ncycle_ms = "often"\n')
    server.signal('SIGHUP')
    await until('the complaint', async () => server.printed().includes('was not taken over'))
    expect(await count('a')).toBe(3)

    // Fewer of a, and no b at all: idle machines go at once, the one in use ends its use first.
    await writeFile(file, group('id = "a"\nmin_ready = 1\nmax_total = 1') + SIMULATED)
    server.signal('SIGHUP')
    await until('one of a', async () => (await count('a')) === 1)
    await until('the used one of b alone', async () => (await count('b')) === 1)
    expect(await client.pools.show(used.name)).toMatchObject({ state: 'in_use', group: 'b' })
    await expect(client.pools.acquire({ worker: 'test', groups: ['b'] })).rejects.toMatchObject({ status: 409 })
    await used.release()
    await until('nothing of b', async () => (await client.pools.list({ group: 'b' })).length === 0)
  }, 120_000)

  test('C20 is not started with a contradiction, and says which', async () => {
    const directory = await folder()
    const file = join(directory, 'mainstay.toml')
    await writeFile(file, group('id = "a"\nmin_ready = 5\nmax_ready = 2') + SIMULATED)
    const args = ['serve', '--config', file, '--data-dir', join(directory, 'data'), '--listen', '127.0.0.1:0']
    const { code, stderr } = await runMainstay(args)
    expect(code).toBe(2)
    expect(stderr).toContain('pool.groups "a": min_ready 5 is more than max_ready 2.')
  }, 60_000)
})
