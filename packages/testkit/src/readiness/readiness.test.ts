import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { pollUntil } from '../clock.ts'
import { ServerLogs } from '../logs/server-logs.ts'
import { leasePort } from '../ports/port-lease.ts'
import { findExecutable } from '../process/executable.ts'
import { httpServer, rejection, script, withCluster } from '../testing/fixture-server.ts'
import { atMostMs, patientMs, within } from '../testing/patience.ts'
import type { ProbeTarget } from './probe.ts'
import { waitUntilReady } from './wait-ready.ts'

const idle = 'setInterval(() => 0, 1000)'

/** A target without listeners, for conditions that name where they look. */
const nobody: ProbeTarget = {
  name: 'api',
  url: '',
  hosts: {},
  sockets: {},
  pid: undefined,
  ports: {},
  socketPath: undefined,
  notified: false,
  linesOfThisRun: () => [],
  sql: async () => [],
}

async function listening(server: Server): Promise<string> {
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

describe('readiness and diagnostics (testkit.md A7, A8)', { timeout: 180_000 }, () => {
  afterEach(() => {
    vi.unstubAllEnvs()
  })

  test('H-38 a service that answers 503 is not ready, although it accepts connections', async () => {
    await withCluster([httpServer({ env: { READY_AFTER_MS: '300' } })], async (cluster) => {
      const api = cluster.get('api')
      const { readyAfterMs } = await api.start()
      expect(readyAfterMs).toBeGreaterThanOrEqual(300)
      // The first look was accepted, and answered with 503. What the server prints may arrive after its answer.
      const looks = (): number => api.logs().filter((line) => line.text === 'GET /healthz').length
      expect(await pollUntil(() => looks() > 1, { timeoutMs: patientMs })).toBe(true)
    })
  })

  test('H-39 a log line counts when it is whole, from this start, without colours', async () => {
    const code = `
      process.stdout.write('\\u001b[32mre')
      setTimeout(() => process.stdout.write('ady\\u001b[0m ' + process.pid + '\\r\\n'), Number(process.env.AFTER ?? 0))
      ${idle}`
    const server = script(code, {
      config: { after: '0' },
      env: ({ config }) => ({ AFTER: String(config['after']) }),
      ready: { log: /^ready \d+$/ },
    })
    await withCluster([server], async (cluster) => {
      const api = cluster.get('script')
      await api.start()
      const { readyAfterMs } = await api.restart({ after: '300' })
      expect(readyAfterMs).toBeGreaterThanOrEqual(300)
      expect(api.logs({ thisRunOnly: true }).map((line) => line.text)).toContain(`ready ${api.pid}`)
    })
  })

  test('H-40 a port that somebody else answers on is an error naming them', async (ctx) => {
    ctx.skip(process.platform !== 'linux', 'owners are found in /proc')
    const lease = await leasePort()
    const stranger = spawn(process.execPath, [
      '-e',
      `require('net').createServer().listen(${lease.port}, '127.0.0.1', () => console.log('up'))`,
    ])
    await new Promise((resolve) => {
      stranger.stdout.once('data', resolve)
    })
    // The server's own number, which it does not listen on: the stranger answers there.
    const target = { ...nobody, pid: process.pid, ports: { web: lease.port } }
    const outcome = await waitUntilReady({ port: 'web' }, target, {
      timeoutMs: patientMs,
      ended: new AbortController().signal,
    })
    expect(outcome.ready).toBe(false)
    expect(outcome.said).toContain(`port ${lease.port} answered but belongs to pid ${stranger.pid}`)
    expect(outcome.probes).toBe(1)
    stranger.kill('SIGKILL')
    lease.release()
  })

  test.each(['none', 'inherit'] as const)(
    'the listener that is named is asked where it is (handover %s)',
    async (handover) => {
      const code = `
      const fds = Object.fromEntries((process.env.MAINSTAY_LISTEN_FDS ?? '').split(',').map((part) => part.split(':')))
      for (const [name, where] of Object.entries(JSON.parse(process.env.WHERE)))
        require('net').createServer().listen(fds[name] === undefined ? where : { fd: Number(fds[name]) })
      ${idle}`
      const server = script(code, {
        listen: [
          { name: 'a', handover },
          { name: 'b', host: '::1', handover },
          { name: 'c', host: 'unix', handover },
        ],
        env: ({ ports, sockets }) => ({
          WHERE: JSON.stringify({
            a: { port: ports['a'], host: '127.0.0.1' },
            b: { port: ports['b'], host: '::1' },
            c: { path: sockets['c'] },
          }),
        }),
        ready: [{ port: 'a' }, { port: 'b' }, { port: 'c' }],
      })
      await withCluster([server], async (cluster) => {
        expect(await cluster.start('script')).toMatchObject({ attempts: 1 })
        const error = await rejection(cluster.get('script').waitReady({ readiness: { port: 'd' } }))
        expect(error.message).toContain('there is no listener "d"')
      })
    },
  )

  test.each([
    [200, true],
    [399, true],
    [400, false],
    [401, true],
    [402, false],
    [403, true],
    [404, false],
    [500, false],
  ])('HTTP %i means ready: %s', async (status, ready) => {
    const ended = new AbortController()
    let asked = 0
    const answers = createServer((_request, response) => {
      asked += 1
      response.writeHead(status).end()
      // Nobody asks a server again that is ready.
      if (asked === 3) ended.abort()
    })
    const url = await listening(answers)
    const outcome = await waitUntilReady({ http: url }, nobody, { timeoutMs: patientMs, ended: ended.signal })
    expect(outcome.ready).toBe(ready)
    expect(outcome.said).toContain(`HTTP ${status} after`)
    expect(asked).toBe(ready ? 1 : 3)
    answers.close()
  })

  test('one probe takes 2 s at most, however much time is left, and then another is made', async () => {
    let asked = 0
    const silent = createServer((_request, response) => {
      asked += 1
      if (asked > 1) response.end('ok')
    })
    const url = await listening(silent)
    const outcome = await waitUntilReady({ http: url }, nobody, {
      timeoutMs: patientMs,
      ended: new AbortController().signal,
    })
    expect(outcome).toMatchObject({ ready: true, probes: 2 })
    expect(outcome.elapsedMs).toBeGreaterThanOrEqual(1990)
    expect(outcome.elapsedMs).toBeLessThan(atMostMs(2100))
    silent.closeAllConnections()
    silent.close()
  })

  test('H-41 the message of a time-out says what was awaited, what came, and where to look', async () => {
    const unready = httpServer({ env: { READY_AFTER_MS: '600000' }, ready: { log: /^listening$/ } })
    await withCluster([unready], async (cluster) => {
      const api = cluster.get('api')
      await api.start()
      const error = await rejection(api.waitReady({ readiness: { http: '/healthz' }, timeoutMs: 1000 }))
      const said = /was not ready after (\d+) ms: waited for HTTP \/healthz, last: HTTP 503 after \d+ probes?/
      const elapsed = Number(said.exec(error.message)?.[1])
      expect(elapsed).toBeGreaterThanOrEqual(1000)
      expect(elapsed).toBeLessThanOrEqual(atMostMs(1100))
      expect(error.message).toContain('stdout | GET /healthz')
      expect(error.message).toContain(join(cluster.dir, 'api', 'etc'))
      expect(error.message).toContain('state: ready')
    })
  })

  test('H-42 conditions combine, and a server may tell by itself: by socket and by line', async (ctx) => {
    const lines = script(`console.log('one'); console.log('two'); console.log('{"mainstay":"ready"}'); ${idle}`, {
      name: 'lines',
      ready: { all: [{ log: /^one$/ }, { any: [{ log: /^never$/ }, { log: /^two$/ }] }, { notify: true }] },
    })
    const socket = script('', {
      name: 'socket',
      command: [
        'perl',
        '-MSocket',
        '-e',
        'socket(S, PF_UNIX, SOCK_DGRAM, 0); connect(S, sockaddr_un($ENV{NOTIFY_SOCKET})); send(S, "READY=1", 0); sleep 30',
      ],
      ready: { notify: true },
    })
    const none = script(idle, { name: 'none', ready: { any: [{ log: /^never$/ }, { file: '/does/not/exist' }] } })
    ctx.skip(findExecutable('perl') === undefined, 'perl not found: apt-get install perl')
    await withCluster([lines, socket, none], async (cluster) => {
      await cluster.start('lines')
      await cluster.start('socket')
      const error = await rejection(cluster.start('none', {}, { timeoutMs: 150 }))
      expect(error.message).toContain('any of (log line /^never$/; file /does/not/exist)')
      await expect(cluster.get('lines').restart()).resolves.toBeDefined()
    })
  })

  test(`H-43 a server that spins is reported as a blocked loop, ${within(2000)}`, async (ctx) => {
    ctx.skip(process.platform !== 'linux', 'CPU time is read from /proc')
    const spinning = script("setTimeout(() => { console.log('spinning'); for (;;) {} }, 50)", {
      diagnosticReport: true,
      ready: { log: /spinning/ },
    })
    await withCluster([spinning], async (cluster) => {
      const server = cluster.get('script')
      await server.start()
      const askedAt = performance.now()
      const { findings } = await server.diagnostics()
      expect(performance.now() - askedAt).toBeLessThan(atMostMs(2000))
      expect(findings['node']).toMatch(/event loop blocked ≥ \d(\.\d)? s \(\d+ ms of CPU time/)
      expect(findings['trace']).toBeUndefined()
    })
  })

  test('H-43 a tracer runs only when it is asked for, shows what it saw, and is gone', async (ctx) => {
    ctx.skip(findExecutable('strace') === undefined, 'strace not found: apt-get install strace')
    const spinning = script("console.log('spinning'); for (;;) {}", { ready: { log: /spinning/ } })
    const tracerOf = (pid: number | undefined): string | undefined =>
      /^TracerPid:\s*(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
    await withCluster([spinning], async (cluster) => {
      const server = cluster.get('script')
      const { pid } = await server.start()
      const look = async (): Promise<string> => (await server.diagnostics()).findings['trace'] ?? ''
      expect(await look()).toBe('')
      vi.stubEnv('MAINSTAY_TESTKIT_TRACE', '1')
      let said = ''
      // A starved tracer may be ended before it has said all.
      const isHeard = async (): Promise<boolean> => /detached|not permitted/.test((said = await look()))
      await pollUntil(isHeard, { timeoutMs: patientMs })
      ctx.skip(said.includes('not permitted'), 'this process may trace no other')
      expect(said).toMatch(/Process \d+ attached[^]*detached/)
      expect(await pollUntil(() => tracerOf(pid) === '0', { timeoutMs: patientMs })).toBe(true)
      expect(server.state).toBe('ready')
    })
  })

  test('H-44 an idle Node server that never listens shows its handles', async () => {
    const forgetful = script("require('net').createServer().listen(0, '127.0.0.1', () => console.log('elsewhere'))", {
      diagnosticReport: true,
      listen: [{ name: 'http' }],
      ready: { log: /elsewhere/ },
    })
    await withCluster([forgetful], async (cluster) => {
      const server = cluster.get('script')
      await server.start()
      const handles = /event loop turns; active handles: .*tcp (localhost|127\.0\.0\.1):\d+/
      // A starved server may answer too late for one look.
      const told = async (): Promise<boolean> => {
        const error = await rejection(server.waitReady({ readiness: { http: '/healthz' }, timeoutMs: 50 }))
        return handles.test(error.message)
      }
      expect(await pollUntil(told, { timeoutMs: patientMs })).toBe(true)
    })
  })

  test('H-45 waiting for several names just the missing one', async () => {
    const servers = ['a', 'b', 'c'].map((name) => httpServer({ name }))
    await withCluster(servers, async (cluster) => {
      await cluster.startAll()
      await cluster.get('b').kill()
      const error = await rejection(cluster.waitForServers(['a', 'b', 'c'], { timeoutMs: patientMs }))
      expect(error.message).toMatch(/^not ready within 30000 ms: b\n/)
    })
  })

  test('output that is split anywhere is put together again', async () => {
    await withCluster([], async (cluster) => {
      const logs = new ServerLogs('x', cluster.dir, [], (text) => text)
      logs.beginRun()
      for (const byte of Buffer.from('grüße\nzwei\nrest')) logs.write('stdout', Buffer.from([byte]))
      expect(logs.text('stdout')).toBe('grüße\nzwei\n')
      logs.endRun()
      expect(logs.text('stdout')).toBe('grüße\nzwei\nrest\n')
      logs.close()
    })
  })
})
