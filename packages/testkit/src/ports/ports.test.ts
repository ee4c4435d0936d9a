import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer, type Server } from 'node:net'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { describe, expect, test, vi } from 'vitest'
import { pollUntil } from '../clock.ts'
import { reasonOf } from '../errors.ts'
import { homeDir, removeQuietly } from '../home.ts'
import { runProgram } from '../process/run.ts'
import type { ServerSpec } from '../spec.ts'
import { httpServer, page, rejection, script, withCluster } from '../testing/fixture-server.ts'
import { atMostMs, patientMs } from '../testing/patience.ts'
import { checkStdioEntry, openListeningSocket } from './listening-socket.ts'
import { leasePort, unusedPort } from './port-lease.ts'
import { ownersOfPort } from './port-owner.ts'

/** A server that binds its port itself. */
const binding = (name = 'api'): ServerSpec =>
  httpServer({ name, listen: [{ name: 'http', handover: 'none' }], env: ({ port }) => ({ LISTEN_PORT: String(port) }) })

describe('sockets and ports (testkit.md A4)', { timeout: 180_000 }, () => {
  test('H-9 a client that connects before the child listens is answered by the child', async () => {
    const late = httpServer({
      env: ({ runDir }) => ({ LISTEN_WHEN: join(runDir, 'go') }),
      ready: { log: /^listening$/ },
    })
    await withCluster([late], async (cluster) => {
      const api = cluster.get('api')
      const started = api.start()
      expect(await pollUntil(() => api.pid !== undefined, { timeoutMs: patientMs, intervalMs: 1 })).toBe(true)
      const client = connect(api.port, '127.0.0.1')
      await once(client, 'connect')
      client.write('GET /healthz HTTP/1.0\r\n\r\n')
      writeFileSync(join(api.folders.runDir, 'go'), '')
      expect(await text(client)).toMatch(/^HTTP\/1\.1 200 [\s\S]*ok$/)
      await started
      await api.waitForLog(/^GET \/healthz$/)
      expect(api.logs().filter((line) => line.text === 'GET /healthz')).toHaveLength(1)
      expect(api.lostConnections).toBe(0)
    })
  })

  test('H-10 a child that ends during its start ends the wait at once, with code and stderr', async () => {
    await withCluster([httpServer({ env: { EXIT_CODE: '99' } })], async (cluster) => {
      const error = await rejection(cluster.start('api', {}, { timeoutMs: 600_000 }))
      const rejectedAt = performance.now()
      expect(error.message).toContain('exit code 99')
      expect(error.message).toContain('giving up')
      const exitedAt = cluster.timeline().find((line) => line.text.startsWith('exit code 99'))?.monotonic ?? 0
      expect(rejectedAt - exitedAt).toBeLessThan(atMostMs(200))
    })
  })

  test('H-11 after a kill nobody listens any more', async () => {
    await withCluster([httpServer()], async (cluster) => {
      const api = cluster.get('api')
      await api.start()
      await api.kill()
      const error = await rejection(fetch(api.url))
      expect(error.cause).toMatchObject({ code: 'ECONNREFUSED' })
    })
  })

  test('H-12 the numbers of descriptors reach the server that has them, and nobody else', async () => {
    const names = ['MAINSTAY_LISTEN_FDS', 'LISTEN_FDS', 'LISTEN_FDNAMES', 'LISTEN_PID', 'NOTIFY_SOCKET']
    const say = `console.log(JSON.stringify(${JSON.stringify(names)}.map((name) => process.env[name] ?? null)))`
    const oneshot = { launch: 'oneshot', inheritEnv: true } as const
    const servers = [
      script(say, { ...oneshot, name: 'with', listen: [{ name: 'http' }] }),
      script(say, { ...oneshot, name: 'without' }),
      script(say, { ...oneshot, name: 'asks', env: { LISTEN_FDS: (old) => old } }),
    ]
    const told: unknown[] = []
    // As if this process had itself been started with descriptors.
    for (const name of names) vi.stubEnv(name, `of the test process: ${name}`)
    try {
      await withCluster(servers, async (cluster) => {
        for (const { name } of servers) told.push(JSON.parse((await cluster.start(name)).stdout))
      })
      told.push(JSON.parse((await runProgram([process.execPath, '-e', say])).stdout))
      told.push(JSON.parse((await runProgram([process.execPath, '-e', say], { env: { ...process.env } })).stdout))
    } finally {
      vi.unstubAllEnvs()
    }
    const none = [null, null, null, null, null]
    const asked = [null, 'of the test process: LISTEN_FDS', null, null, null]
    expect(told).toEqual([['http:3', null, null, null, null], none, asked, none, none])
  })

  test('H-13 a hundred starts leave no descriptor open', { timeout: 180_000 }, async (ctx) => {
    ctx.skip(process.platform !== 'linux', 'open descriptors are counted in /proc')
    const count = (): number => readdirSync('/proc/self/fd').length
    await withCluster([httpServer({ command: ['sleep', '30'], ready: { fn: async () => true } })], async (cluster) => {
      const api = cluster.get('api')
      await api.start()
      await api.restart()
      const before = count()
      for (let round = 0; round < 99; round++) await api.restart()
      expect(await pollUntil(() => count() <= before, { timeoutMs: patientMs })).toBe(true)
    })
  })

  test('H-14 a net.Server in place of a descriptor is refused before anything runs', () => {
    expect(() => checkStdioEntry(createServer())).toThrow('a net.Server cannot be handed to a child')
    expect(() => checkStdioEntry(-1)).toThrow('must be an integer >= 0')
    expect(checkStdioEntry(3)).toBe(3)
  })

  test('H-15 a stolen port is answered with a new one, which dependants see', async () => {
    const thief = new PortThief(1)
    const api = { ...binding(), prepare: async ({ port }: { port: number }) => thief.take(port) }
    const dependant = httpServer({
      name: 'web',
      dependsOn: ['api'],
      files: [{ name: 'c.json', content: '{"api": %(deps.api.port)s}' }],
      env: ({ etc }) => ({ CONFIG_FILE: join(etc, 'c.json') }),
    })
    await withCluster([api, dependant], async (cluster) => {
      await cluster.startAll()
      const server = cluster.get('api')
      expect(server.attempts).toBe(2)
      expect(server.failedAttempts[0]).toMatchObject({ clash: true, ports: { http: thief.ports[0] } })
      expect(server.port).not.toBe(thief.ports[0])
      expect(JSON.parse(await page(`${cluster.get('web').url}/config`))).toEqual({ api: server.port })
    })
    await thief.close()
  })

  test('H-15 any launch that failed can be tried again: with a new inherited socket and a new configuration', async () => {
    const ports = new Set<number>()
    const weak = httpServer({
      files: [{ name: 'c.json', content: '{"port": %(port)s}' }],
      env: ({ port, etc }) => {
        ports.add(port)
        return { CONFIG_FILE: join(etc, 'c.json'), ...(ports.size === 1 ? { EXIT_CODE: '7' } : {}) }
      },
    })
    await withCluster([weak], async (cluster) => {
      const api = cluster.get('api')
      await cluster.startWithRetry('api', { retries: 2, retryOn: 'any' })
      const [first, second] = ports
      expect(api.failedAttempts).toMatchObject([{ clash: false, ports: { http: first } }])
      expect(api.port).toBe(second)
      expect(JSON.parse(await page(`${api.url}/config`))).toEqual({ port: second })
      expect(JSON.parse(await page(`${api.url}/env`))).toMatchObject({ raw: { listen: 'http:3' } })
      expect(api.lostConnections).toBe(0)
    })
  })

  test('H-16 three clashes in a row are all listed with their owners', async () => {
    const thief = new PortThief(3)
    // The files are written after the ports are chosen: every attempt finds its port taken.
    const taken = (etc: string, port: number): string => join(etc, `taken-${port}`)
    const api: ServerSpec = {
      ...binding(),
      // It binds when the thief has been there, every time.
      env: ({ port, etc }) => ({ LISTEN_PORT: String(port), LISTEN_WHEN: taken(etc, port) }),
      files: [
        {
          name: 'x',
          content: ({ port, etc }) => {
            thief.takeSync(port)?.once('listening', () => writeFileSync(taken(etc, port), ''))
            return ''
          },
        },
      ],
    }
    await withCluster([api], async (cluster) => {
      const error = await rejection(cluster.startWithRetry('api'))
      expect(error.message).toContain('did not start in 3 attempts')
      for (const attempt of [1, 2, 3]) expect(error.message).toContain(`attempt ${attempt}: ports`)
      expect(error.message).toContain(`belongs to pid ${process.pid}`)
    })
    await thief.close()
  })

  test(
    'H-17 a thousand leases of eight processes are distinct, and a killed one’s are given out again',
    { timeout: 180_000 },
    async () => {
      const home = join(homeDir('own-tests'), `leases-${process.pid}`)
      mkdirSync(home, { recursive: true })
      const program = fileURLToPath(new URL('../../fixtures/lease-ports.ts', import.meta.url))
      const env = { ...process.env, MAINSTAY_TESTKIT_DIR: home }
      const lessees = Array.from({ length: 8 }, () =>
        spawn(process.execPath, [program, '125'], { env, stdio: ['pipe', 'pipe', 'inherit'] }),
      )
      const answers = await Promise.all(
        lessees.map(async (child) => {
          for await (const line of createInterface({ input: child.stdout })) return JSON.parse(line) as number[]
          return []
        }),
      )
      const all = answers.flat()
      expect(all).toHaveLength(1000)
      expect(new Set(all).size).toBe(1000)
      const first = lessees[0]!
      first.kill('SIGKILL')
      await new Promise((resolve) => {
        first.once('exit', resolve)
      })
      const [port = 0] = answers[0] ?? []
      const again = spawn(process.execPath, [program, '1'], {
        env: { ...env, MAINSTAY_TESTKIT_PORTS: `${port}-${port}` },
        stdio: ['pipe', 'pipe', 'inherit'],
      })
      for await (const line of createInterface({ input: again.stdout })) {
        expect(JSON.parse(line)).toEqual([port])
        break
      }
      for (const child of [...lessees, again]) child.kill('SIGKILL')
      removeQuietly(home)
    },
  )

  test('H-17 a port that a program without a lease has bound is not leased', async () => {
    const home = join(homeDir('own-tests'), `bound-${process.pid}`)
    const lease = await leasePort()
    lease.release()
    const { port } = lease
    const stranger = createServer()
    await new Promise<void>((resolve, reject) => {
      stranger.once('error', reject)
      stranger.listen(port, '127.0.0.1', resolve)
    })
    vi.stubEnv('MAINSTAY_TESTKIT_DIR', home)
    vi.stubEnv('MAINSTAY_TESTKIT_PORTS', `${port}-${port}`)
    try {
      expect(await rejection(leasePort())).toMatchObject({ code: 'TK_PORT_TAKEN' })
      expect(readdirSync(join(home, 'ports'))).toEqual([])
    } finally {
      vi.unstubAllEnvs()
      stranger.close()
      removeQuietly(home)
    }
  })

  test('H-18 a fixed port that is taken is an immediate error naming the owner', async () => {
    const socket = await openListeningSocket({ host: '127.0.0.1', port: 0 })
    await withCluster([httpServer({ listen: [{ name: 'http', port: socket.port }] })], async (cluster) => {
      const error = await rejection(cluster.startWithRetry('api', { retries: 3 }))
      expect(error.code).toBe('TK_PORT_TAKEN')
      expect(error.message).toContain(`pid ${process.pid}`)
      expect(cluster.get('api').failedAttempts).toHaveLength(1)
    })
    socket.close()
  })

  test.each(['inherit', 'none'] as const)('H-19 a restart asks for the same port (%s)', async (handover) => {
    const base = handover === 'none' ? binding() : httpServer()
    const listen = (samePort: 'prefer' | 'require'): ServerSpec => ({
      ...base,
      name: samePort,
      listen: [{ name: 'http', handover, samePort }],
    })
    await withCluster([listen('prefer'), listen('require')], async (cluster) => {
      for (const name of ['prefer', 'require']) {
        const server = cluster.get(name)
        const before = (await server.start()).ports['http'] ?? 0
        await server.restart()
        expect(server.port).toBe(before)
        await server.stop()
        const occupant = await openListeningSocket({ host: '127.0.0.1', port: before })
        const outcome = await server.start().then(
          () => (server.port === before ? 'the same port' : 'another port'),
          (error: unknown) => (reasonOf(error).includes(`port ${before}`) ? 'refused' : 'an unexpected error'),
        )
        expect(outcome).toBe(name === 'prefer' ? 'another port' : 'refused')
        occupant.close()
      }
    })
  })

  test('H-20 two runs of the same tests at once share no port, folder or database', { timeout: 180_000 }, async () => {
    const program = fileURLToPath(new URL('../../fixtures/three-servers.ts', import.meta.url))
    const runs = await Promise.all(
      [1, 2].map(async () => {
        const child = spawn(process.execPath, [program], { stdio: ['pipe', 'pipe', 'inherit'] })
        for await (const line of createInterface({ input: child.stdout }))
          return { child, told: JSON.parse(line) as ThreeServers }
        throw new Error('the run ended without a word')
      }),
    )
    const [a, b] = runs.map(({ told }) => told)
    expect(new Set([...a!.ports, ...b!.ports]).size).toBe(6)
    expect(a!.dir).not.toBe(b!.dir)
    expect(a!.dbUrl).not.toBe(b!.dbUrl)
    for (const { child } of runs) {
      child.stdin.end()
      await new Promise((resolve) => {
        child.once('exit', resolve)
      })
    }
  })

  test('H-21 servers listen on ::1 and on UNIX sockets, also where the path would be too long', async () => {
    const long = 'a-very-long-server-name-'.repeat(4).slice(0, 90)
    await withCluster(
      [
        httpServer({ name: 'six', listen: [{ name: 'http', host: '::1' }] }),
        httpServer({ name: 'unix', listen: [{ name: 'http', host: 'unix' }] }),
        httpServer({ name: long, listen: [{ name: 'http', host: 'unix' }] }),
      ],
      async (cluster) => {
        await cluster.startAll()
        expect(cluster.get('six').url).toMatch(/^http:\/\/\[::1\]:\d+$/)
        expect(await page(`${cluster.get('six').url}/healthz`)).toBe('ok')
        const path = cluster.get(long).sockets['http'] ?? ''
        expect(Buffer.byteLength(path)).toBeLessThanOrEqual(103)
        const status = await new Promise((resolve, reject) => {
          request({ socketPath: path, path: '/healthz' }, (response) => resolve(response.resume().statusCode))
            .once('error', reject)
            .end()
        })
        expect(status).toBe(200)
      },
    )
  })

  test('systemd’s protocol names the descriptors and the server’s own pid', async () => {
    await withCluster([httpServer({ listen: [{ name: 'http', handover: 'systemd' }] })], async (cluster) => {
      await cluster.startAll()
      const api = cluster.get('api')
      expect(JSON.parse(await page(`${api.url}/pid`))).toEqual({ pid: api.pid, listenPid: String(api.pid) })
    })
  })

  test('a named variable carries the descriptor for servers with their own protocol', async () => {
    await withCluster([httpServer({ listen: [{ name: 'http', handover: { env: 'SOCKET_FD' } }] })], async (cluster) => {
      await cluster.startAll()
      expect(await page(`${cluster.get('api').url}/healthz`)).toBe('ok')
    })
  })

  test('an unused port is a number, a leased one is nobody else’s', async () => {
    expect(await unusedPort()).toBeGreaterThan(0)
    const leases = await Promise.all(Array.from({ length: 20 }, () => leasePort()))
    expect(new Set(leases.map(({ port }) => port)).size).toBe(20)
    for (const { port } of leases) expect(port).toBeGreaterThanOrEqual(20_000)
    for (const lease of leases) lease.release()
  })

  test('the owner of a port is found', async (ctx) => {
    ctx.skip(process.platform !== 'linux', 'owners are found in /proc')
    const socket = await openListeningSocket({ host: '127.0.0.1', port: 0 })
    expect(ownersOfPort(socket.port)).toMatchObject([{ pid: process.pid }])
    socket.close()
  })
})

interface ThreeServers {
  readonly ports: readonly number[]
  readonly dir: string
  readonly dbUrl: string
}

/** Binds ports that were given to somebody else. */
class PortThief {
  readonly ports: number[] = []
  readonly #servers: Server[] = []
  readonly #most: number

  constructor(most: number) {
    this.#most = most
  }

  async take(port: number): Promise<void> {
    const server = this.takeSync(port)
    if (server !== undefined && !server.listening) {
      await new Promise((resolve) => {
        server.once('listening', resolve)
      })
    }
  }

  takeSync(port: number): Server | undefined {
    if (this.ports.length >= this.#most || this.ports.includes(port)) return undefined
    this.ports.push(port)
    const server = createServer().listen(port, '127.0.0.1')
    this.#servers.push(server)
    return server
  }

  async close(): Promise<void> {
    for (const server of this.#servers) {
      await new Promise((resolve) => {
        server.close(resolve)
      })
    }
  }
}
