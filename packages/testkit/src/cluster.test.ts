import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Cluster } from './cluster.ts'
import { homeDir, removeQuietly } from './home.ts'
import { httpProgram, httpServer, rejection, script, withCluster } from './testing/fixture-server.ts'

const home = join(homeDir('own-tests'), `cluster-${process.pid}`)
mkdirSync(home, { recursive: true })
afterAll(() => removeQuietly(home))

/** Everything that lies in the home folder's runs, with what lies in it. */
const inRuns = (): string[] => readdirSync(join(home, 'runs'), { recursive: true }).map(String)
const locks = (): string[] =>
  existsSync(join(home, 'ports')) ? readdirSync(join(home, 'ports')).filter((name) => name.endsWith('.lock')) : []

describe('a cluster and its folder (testkit.md A3, A10)', { timeout: 180_000 }, () => {
  beforeEach(() => {
    vi.stubEnv('MAINSTAY_TESTKIT_DIR', home)
  })
  afterEach(() => {
    vi.unstubAllEnvs()
  })

  test.each([
    ['the clean-up', (cluster: Cluster): Promise<unknown> => cluster.dispose()],
    ['stopAll', (cluster: Cluster): Promise<unknown> => cluster.stopAll()],
  ])('H-36 %s stops each server only when those that need it have ended', async (_by, stop) => {
    // Declared in neither order: what decides is who needs whom.
    const servers = [
      httpServer({ name: 'middle', dependsOn: ['base'] }),
      httpServer({ name: 'top', dependsOn: ['middle'] }),
      httpServer({ name: 'base' }),
    ]
    const cluster = await Cluster.create({ servers })
    try {
      await cluster.startAll()
      await stop(cluster)
      const events = cluster
        .timeline()
        .filter(({ stream, text }) => stream === 'harness' && /^stop SIGTERM$|^exit code 0$|^ended by/.test(text))
        .map(({ server, text }) => `${server} ${text === 'stop SIGTERM' ? 'asked' : 'ended'}`)
      expect(events).toEqual(['top', 'middle', 'base'].flatMap((name) => [`${name} asked`, `${name} ended`]))
    } finally {
      await cluster.dispose()
    }
  })

  test('H-68 after the clean-up nothing can be added any more, and nothing comes back', async () => {
    const cluster = await Cluster.create({ servers: [httpServer()] })
    const proxy = await cluster.proxy('api', { from: 'other' })
    const cut = await cluster.partition('other', 'api')
    await cluster.startAll()
    await cluster.dispose()
    const uses: Record<string, () => unknown> = {
      add: () => cluster.add(script('', { name: 'late' })),
      component: () => cluster.component('redis'),
      proxy: () => cluster.proxy('api'),
      partition: () => cluster.partition('other', 'api'),
      diskFull: () => cluster.diskFull(cluster.get('api').dir),
      setPolicy: () => cluster.setPolicy({}),
      copyDataFile: () => cluster.copyDataFile({ from: httpProgram, to: 'late' }),
      resetDatabase: () => cluster.resetDatabase('api'),
      onDispose: () => cluster.onDispose(() => undefined),
      start: () => cluster.start('api'),
      startAll: () => cluster.startAll(),
    }
    for (const [name, use] of Object.entries(uses)) {
      const error = await rejection(Promise.resolve().then(use))
      expect({ name, code: error.code }).toEqual({ name, code: 'TK_CLUSTER_CLOSED' })
    }
    await cut.heal()
    expect(await rejection(fetch(proxy.url))).toMatchObject({ cause: { code: 'ECONNREFUSED' } })
    expect(inRuns()).toEqual([])
    expect(locks()).toEqual([])
  })

  test('H-68 a proxy that was being opened when the clean-up began is closed again', async () => {
    const cluster = await Cluster.create({ servers: [httpServer()] })
    const opening = rejection(cluster.proxy('api'))
    await cluster.dispose()
    expect(await opening).toMatchObject({ code: 'TK_CLUSTER_CLOSED' })
    expect(locks()).toEqual([])
  })

  test.each(['', '.', '..', '-x', 'a/b', 'kept', 'owner.json', 'timeline.log', 'test.sqlite'])(
    'a server cannot be named "%s", and the refused cluster leaves nothing',
    async (name) => {
      const error = await rejection(Cluster.create({ servers: [httpServer(), script('', { name })] }))
      expect(error).toMatchObject({ code: 'TK_BAD_SPEC' })
      expect(inRuns()).toEqual([])
    },
  )

  test.each(['../x', '../../../../x', '..', '.', 'a/../../x'])('no file is written to %s', async (name) => {
    const from = new URL('../fixtures/http-server.mjs', import.meta.url)
    const oneshot = { launch: 'oneshot' as const }
    const servers = [
      script('', { ...oneshot, name: 'rendered', files: [{ name, content: 'x' }] }),
      script('', { ...oneshot, name: 'copied', dataFiles: [{ from, to: name }] }),
    ]
    await withCluster(servers, async (cluster) => {
      const before = inRuns()
      for (const server of cluster.servers)
        expect(await rejection(server.start())).toMatchObject({ code: 'TK_BAD_SPEC' })
      expect(() => cluster.copyDataFile({ from: fileURLToPath(from), to: name })).toThrow('is not below')
      expect(() => cluster.setPolicy({}, { file: `../../${name}` })).toThrow('is not below')
      expect(inRuns()).toEqual(before)
    })
  })
})
