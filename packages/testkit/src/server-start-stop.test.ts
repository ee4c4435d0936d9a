import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { pollUntil } from './clock.ts'
import { TestkitError } from './errors.ts'
import { groupMembers, identityOf, isAlive, sendSignal } from './process/process-table.ts'
import type { ServerSpec } from './spec.ts'
import { startInOrder } from './start-order.ts'
import { httpProgram, httpServer, page, rejection, script, withCluster } from './testing/fixture-server.ts'
import { atMostMs, patientMs } from './testing/patience.ts'

const idle = 'setInterval(() => 0, 1000)'
const oneshot = (code: string): ReturnType<typeof script> => script(code, { launch: 'oneshot' })

describe('start and stop (testkit.md A5)', { timeout: 180_000 }, () => {
  test('H-22 a service resolves when ready, has a pid file, and stops cleanly', async () => {
    await withCluster([httpServer()], async (cluster) => {
      const api = cluster.get('api')
      const { pid } = await api.start()
      const pidFile = join(api.folders.runDir, 'api.pid')
      expect(readFileSync(pidFile, 'utf8')).toBe(`${pid}\n`)
      expect(api.state).toBe('ready')
      expect(await api.stop()).toMatchObject({ clean: true, escalated: false })
      expect(existsSync(pidFile)).toBe(false)
      expect(api.state).toBe('exited')
    })
  })

  test('H-23 a oneshot resolves with its output, or rejects with output and configuration', async () => {
    const server = {
      ...oneshot("console.log('out'); console.error('err'); process.exit(3)"),
      files: [{ name: 'a.conf', content: 'setting\n' }],
    }
    await withCluster([server, { ...oneshot("console.log('fine')"), name: 'fine' }], async (cluster) => {
      expect(await cluster.start('fine')).toMatchObject({ exitCode: 0, stdout: 'fine\n', stderr: '' })
      expect(await cluster.start('script', {}, { expectExitCode: 3 })).toMatchObject({
        exitCode: 3,
        stdout: 'out\n',
        stderr: 'err\n',
      })
      const error = await rejection(cluster.start('script'))
      expect(error.code).toBe('TK_EXIT_CODE')
      for (const part of ['exit code 3, expected exit code 0', 'stdout | out', 'stderr | err', 'a.conf\nsetting']) {
        expect(error.message).toContain(part)
      }
    })
  })

  test('H-24 a oneshot that never ends is stopped, and the start rejects', async () => {
    await withCluster([oneshot(idle)], async (cluster) => {
      const error = await rejection(cluster.start('script', {}, { timeoutMs: 200 }))
      expect(error.message).toContain('did not end within 200 ms')
      expect(cluster.get('script').pid).toBeUndefined()
      expect(cluster.get('script').state).toBe('failed')
    })
  })

  test('H-25 a launch that must not happen: exit is fine, readiness and hanging are not', async () => {
    const exits = httpServer({ name: 'exits', env: { EXIT_CODE: '1' } })
    const launches = httpServer({ name: 'launches' })
    const hangs = script(idle, { name: 'hangs', ready: { log: /never/ } })
    await withCluster([exits, launches, hangs], async (cluster) => {
      expect(await cluster.expectNoLaunch('exits')).toMatchObject({ code: 1 })
      const error = await rejection(cluster.expectNoLaunch('launches'))
      expect(error.code).toBe('TK_UNEXPECTED_LAUNCH')
      expect(error.message).toContain('unexpected launch')
      expect(cluster.get('launches').pid).toBeUndefined()
      await expect(cluster.expectNoLaunch('hangs', {}, { timeoutMs: 200 })).rejects.toThrow('was not ready')
      await expect(cluster.expectNoLaunch('hangs', {}, { timeoutMs: 200, acceptHang: true })).resolves.toBeDefined()
    })
  })

  test('H-26 a janitor is a oneshot, and with daemon: true a service', async () => {
    const janitor = script("console.log('swept'); if (process.env.DAEMON === 'true') setInterval(() => 0, 1000)", {
      name: 'janitor',
      config: { daemon: false },
      launch: (config) => (config['daemon'] === true ? 'service' : 'oneshot'),
      env: ({ config }) => ({ DAEMON: String(config['daemon']) }),
      ready: { log: /swept/ },
    })
    await withCluster([janitor], async (cluster) => {
      expect(await cluster.start('janitor')).toMatchObject({ exitCode: 0 })
      await cluster.start('janitor', { daemon: true })
      expect(cluster.get('janitor').state).toBe('ready')
    })
  })

  test('H-27 stop before start names the server, stop twice agrees, start twice is refused', async () => {
    await withCluster([httpServer()], async (cluster) => {
      const api = cluster.get('api')
      await expect(api.stop()).rejects.toThrow('server "api" was never started')
      await api.start()
      await expect(api.start()).rejects.toThrow('cannot start server "api": it is ready')
      const first = await api.stop()
      expect(await api.stop()).toEqual(first)
    })
  })

  test('a stop during a start ends the start, which is not tried again', async () => {
    const slow = httpServer({ env: { READY_AFTER_MS: '60000' } })
    await withCluster([slow], async (cluster) => {
      const api = cluster.get('api')
      const starting = rejection(api.start({}, { retries: 5, retryOn: 'any', timeoutMs: 60_000 }))
      await api.waitForLog(/GET \/healthz/)
      expect(await api.stop()).toMatchObject({ clean: true })
      expect((await starting).message).toContain('ended before it was ready')
      expect(api.failedAttempts).toHaveLength(1)
      expect(api.pid).toBeUndefined()
    })
  })

  test(
    'H-28 a server that ignores SIGTERM gets it again at 5 s and is killed at 7 s',
    { timeout: 180_000 },
    async () => {
      const stubborn = httpServer({ env: { IGNORE_TERM: '1' } })
      await withCluster([stubborn], async (cluster) => {
        const api = cluster.get('api')
        await api.start()
        const startedAt = performance.now()
        expect(await api.stop()).toMatchObject({ escalated: true, signal: 'SIGKILL' })
        const elapsed = performance.now() - startedAt
        expect(elapsed).toBeGreaterThan(6900)
        expect(elapsed).toBeLessThan(atMostMs(10_000))
        expect(api.logs().filter((line) => line.text === 'ignored SIGTERM')).toHaveLength(2)
        expect(cluster.warnings[0]).toContain('it had to be forced')
        await api.start()
        const strict = await rejection(api.stop({ graceMs: 50, killAfterMs: 100, strict: true }))
        expect(strict).toMatchObject({ code: 'TK_STOP_NOT_CLEAN' })
      })
    },
  )

  test('H-29 grandchildren are gone after stop, in the group and outside of it', async () => {
    await withCluster([httpServer()], async (cluster) => {
      const api = cluster.get('api')
      await api.start()
      const inGroup = identityOf(Number(await page(`${api.url}/group-child`)))
      const outside = identityOf(Number(await page(`${api.url}/session-child`)))
      expect([isAlive(inGroup), isAlive(outside)]).toEqual([true, true])
      await api.stop()
      expect([isAlive(inGroup), isAlive(outside)]).toEqual([false, false])
    })
  })

  test('H-30 a zombie counts as dead', async (ctx) => {
    ctx.skip(process.platform !== 'linux', 'zombies are told apart by /proc')
    // The shell becomes `sleep`, which never asks for its child's exit code.
    const parent = script('', {
      name: 'parent',
      command: ['/bin/sh', '-c', 'sleep 0.2 & echo $!; exec sleep 30'],
      ready: { log: /^\d+$/ },
    })
    await withCluster([parent], async (cluster) => {
      await cluster.start('parent')
      const zombie = Number(
        cluster
          .get('parent')
          .logs()
          .find((line) => line.stream === 'stdout')?.text,
      )
      const identity = identityOf(zombie)
      expect(await pollUntil(() => !isAlive(identity), { timeoutMs: patientMs })).toBe(true)
      expect(sendSignal(zombie, 'SIGURG')).toBe(true)
      expect(groupMembers(cluster.get('parent').pid ?? 0).map((entry) => entry.pid)).not.toContain(zombie)
      await expect(cluster.get('parent').stop()).resolves.toMatchObject({ clean: true })
    })
  })

  test('H-32 a missing executable is said so, is not retried, and leaves nothing', async () => {
    await withCluster(
      [script('', { command: ['no-such-program-at-all'] }), script('', { name: 'db', command: ['redis-server-x'] })],
      async (cluster) => {
        const error = await rejection(cluster.startWithRetry('script', { retries: 3, retryOn: 'any' }))
        expect(error.code).toBe('TK_CANNOT_EXECUTE')
        expect(error.message).toContain('cannot execute no-such-program-at-all')
        expect(cluster.get('script').failedAttempts).toHaveLength(1)
      },
    )
  })

  test('H-33 50 MiB without a newline do not block the server and do not fill the memory', async () => {
    const size = 50 * 1024 * 1024
    const flood = oneshot(`process.stdout.write(Buffer.alloc(${size}, 'x'))`)
    await withCluster([flood], async (cluster) => {
      const server = cluster.get('script')
      await server.start()
      const kept = server.logs().reduce((sum, line) => sum + line.text.length, 0)
      expect(kept).toBeLessThanOrEqual(6 * 1024 * 1024)
      expect(statSync(join(server.folders.logDir, 'stdout.log')).size).toBe(size)
    })
  })

  test('H-34 reload keeps the process and its requests; restart keeps the data', async () => {
    const server = httpServer({
      config: { colour: 'red' },
      files: [{ name: 'c.json', content: ({ config }) => config }],
      env: ({ etc }) => ({ CONFIG_FILE: join(etc, 'c.json') }),
      reload: { signal: 'SIGHUP', done: { log: /^reloaded$/ } },
      database: { engine: 'sqlite', migrate: createTable },
    })
    await withCluster([server], async (cluster) => {
      const api = cluster.get('api')
      const { pid } = await api.start()
      await api.sql("insert into t values ('kept')")
      const slow = page(`${api.url}/slow`)
      await api.waitForLog(/GET \/slow/)
      await api.reload({ colour: 'blue' })
      expect(api.pid).toBe(pid)
      expect(JSON.parse(await page(`${api.url}/config`))).toEqual({ colour: 'blue' })
      expect(await slow).toContain('colour')
      const { port } = api
      await api.restart()
      expect(api.pid).not.toBe(pid)
      expect(api.port).toBe(port)
      expect(await api.sql('select * from t')).toEqual([{ name: 'kept' }])
    })
  })

  test('H-35 dependencies start first and are named in the dependant’s configuration; a circle is refused', async () => {
    const registry = httpServer({ name: 'registry' })
    const api = httpServer({
      dependsOn: ['registry'],
      files: [{ name: 'c.json', content: '{"registry": %(deps.registry.port)s}' }],
      env: ({ etc }) => ({ CONFIG_FILE: join(etc, 'c.json') }),
    })
    await withCluster([api, registry], async (cluster) => {
      await cluster.startAll()
      expect(cluster.started.map((server) => server.name)).toEqual(['registry', 'api'])
      expect(JSON.parse(await page(`${cluster.get('api').url}/config`))).toEqual({
        registry: cluster.get('registry').port,
      })
    })
    const circle = [httpServer({ name: 'a', dependsOn: ['b'] }), httpServer({ name: 'b', dependsOn: ['a'] })]
    await withCluster(circle, async (cluster) => {
      await expect(cluster.startAll()).rejects.toThrow('a → b → a')
    })
  })

  test('H-36 when a dependency fails its dependants are not started, and the rest stops in reverse order', async () => {
    const servers = [
      httpServer({ name: 'base' }),
      httpServer({ name: 'broken', dependsOn: ['base'], env: { EXIT_CODE: '4' } }),
      httpServer({ name: 'top', dependsOn: ['broken'] }),
      httpServer({ name: 'side', dependsOn: ['base'] }),
    ]
    await withCluster(servers, async (cluster) => {
      const error = await rejection(cluster.startAll())
      expect(error.message).toContain('server "broken" did not start; not started after it: top')
      expect(cluster.get('top').state).toBe('new')
      expect(cluster.get('base').state).toBe('ready')
      await cluster.stopAll()
      const stops = cluster
        .timeline()
        .filter((line) => line.text === 'stop SIGTERM')
        .map((line) => line.server)
      expect(stops.indexOf('side')).toBeLessThan(stops.indexOf('base'))
    })
  })

  test('H-37 independent servers start side by side', async () => {
    const slow = (name: string): ServerSpec => httpServer({ name, env: { READY_AFTER_MS: '600' } })
    await withCluster([slow('a'), slow('b'), slow('c')], async (cluster) => {
      await cluster.startAll()
      const events = cluster.timeline().map((line) => line.text)
      const firstReady = events.findIndex((text) => text.startsWith('ready after'))
      expect(events.slice(0, firstReady).filter((text) => text.startsWith('start pid'))).toHaveLength(3)
    })
  })

  test('at most so many start at once, each after what it needs', async () => {
    let running = 0
    let most = 0
    const order: string[] = []
    const graph = new Map(
      Array.from({ length: 12 }, (_, index) => [`s${index}`, index < 4 ? [] : [`s${index % 4}`]] as const),
    )
    const start = async (name: string): Promise<void> => {
      most = Math.max(most, ++running)
      order.push(name)
      await delay(5)
      running -= 1
    }
    await startInOrder(graph, start, { parallel: 3 })
    expect(most).toBe(3)
    expect(order).toHaveLength(12)
    for (const [name, needs] of graph)
      for (const need of needs) expect(order.indexOf(need)).toBeLessThan(order.indexOf(name))
    await expect(startInOrder(new Map([['a', ['x']]]), start, { parallel: 1 })).rejects.toThrow(TestkitError)
  })

  test.each([0, -1, Number.NaN])('when %d servers may start at a time, none waits for ever', async (parallelStarts) => {
    const server = script('', { launch: 'oneshot' })
    await withCluster(
      [server],
      async (cluster) => {
        expect(await rejection(cluster.startAll())).toMatchObject({ code: 'TK_BAD_SPEC' })
        expect(cluster.get('script').state).toBe('new')
      },
      { parallelStarts },
    )
  })

  test('limits reach the server', async (ctx) => {
    ctx.skip(process.platform !== 'linux', 'limits are set by prlimit')
    const virtualMemoryBytes = 2 ** 28
    // Not Node, which reserves more addresses than this when it starts.
    const limited = script('', {
      command: ['cat', '/proc/self/limits'],
      launch: 'oneshot',
      limits: { openFiles: 64, cpuSeconds: 5, virtualMemoryBytes },
    })
    await withCluster([limited], async (cluster) => {
      const { stdout } = await cluster.start('script')
      expect(stdout).toMatch(/Max open files\s+64\s+64/)
      expect(stdout).toMatch(/Max cpu time\s+5\s+5/)
      expect(stdout).toMatch(new RegExp(String.raw`Max address space\s+${virtualMemoryBytes}\s+${virtualMemoryBytes}`))
    })
  })

  test('a crash loop leaves a running server with another pid', async () => {
    await withCluster([httpServer({ command: [process.execPath, httpProgram] })], async (cluster) => {
      const api = cluster.get('api')
      const { pid } = await api.start()
      await api.crashLoop(2)
      expect(api.state).toBe('ready')
      expect(api.pid).not.toBe(pid)
    })
  })
})

async function createTable({ path }: { path: string }): Promise<void> {
  const { DatabaseSync } = await import('node:sqlite')
  const database = new DatabaseSync(path)
  database.exec('create table t (name text)')
  database.close()
}
