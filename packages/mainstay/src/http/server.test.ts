import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { Agent, request as httpRequest } from 'node:http'
import { request as httpsRequest, type RequestOptions } from 'node:https'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { Cluster } from '@mainstay/testkit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { runCommand } from '../core/child-process.ts'
import { SystemClock } from '../core/clock.ts'
import { SystemIds } from '../core/ids.ts'
import { errorCode } from '../core/errors.ts'
import { createLogger } from '../core/logging.ts'
import { Metrics } from '../core/metrics.ts'
import { formatAccess } from './access-log.ts'
import { createHttpApp, type HttpApp, type HttpAppOptions } from './app.ts'
import { goneSignal } from './gone-signal.ts'
import { readBody } from './read-body.ts'
import { inheritedSocket, listenOn, stopServing } from './listen.ts'
import { noauth2 } from './authenticate.ts'
import { ConflictError } from './errors.ts'
import { registerNative, registerNativeNotFound, requestContextOf } from './native.ts'
import { registerOperations } from './operations.ts'
import { currentContext } from '../core/context.ts'

const clock = new SystemClock()
const LOCAL = { host: '127.0.0.1', port: 0 }

/** A process that serves the socket it was started with until it is told to stop. */
const INHERITING = `
  const here = 'file://' + process.cwd() + '/'
  const { createHttpApp } = await import(here + 'app.ts')
  const { inheritedSocket, listenOn, stopServing } = await import(here + 'listen.ts')
  const { SystemClock } = await import(here + '../core/clock.ts')
  const { SystemIds } = await import(here + '../core/ids.ts')
  const { Metrics } = await import(here + '../core/metrics.ts')
  const clock = new SystemClock()
  const app = createHttpApp({ clock, ids: new SystemIds(), metrics: new Metrics() })
  app.get('/', async () => 'inherited')
  await listenOn(app, inheritedSocket(process.env, process.pid))
  process.once('SIGTERM', () => stopServing(app, { clock, timeoutMs: 1000 }))
`

interface Running extends AsyncDisposable {
  readonly app: HttpApp
  readonly port: number
}

async function start(options: HttpAppOptions, routes: (app: HttpApp) => void | Promise<void>): Promise<Running> {
  const app = createHttpApp({ clock, ids: new SystemIds(), metrics: new Metrics() }, options)
  await routes(app)
  const port = Number(new URL(await listenOn(app, LOCAL)).port)
  return { app, port, [Symbol.asyncDispose]: async () => await stopServing(app, { clock, timeoutMs: 1000 }) }
}

async function get(
  port: number,
  path: string,
  options: RequestOptions & { secure?: boolean } = {},
): Promise<{ status: number; text: string; connection: string | undefined }> {
  const { secure = false, ...rest } = options
  return await new Promise((resolve, reject) => {
    const request = (secure ? httpsRequest : httpRequest)({ host: '127.0.0.1', port, path, ...rest }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, text, connection: response.headers.connection }),
      )
    })
    request.on('error', reject).end()
  })
}

describe('limits (ha-api 20.1)', () => {
  test('a long request line is a 414, a long header line a 431, and the connection ends', async () => {
    await using server = await start(
      { limits: { maxHeaderLineBytes: 100 } },
      (app) => void app.get('/*', async () => 'ok'),
    )
    expect((await get(server.port, '/short')).status).toBe(200)
    expect(await get(server.port, `/${'x'.repeat(100)}`)).toMatchObject({ status: 414, connection: 'close' })
    const headers = { 'X-Long': 'x'.repeat(100) }
    expect(await get(server.port, '/', { headers })).toMatchObject({ status: 431, connection: 'close' })
    const huge = { 'X-Huge': 'x'.repeat(500) }
    expect((await get(server.port, '/', { headers: huge })).status).toBe(431)
  })

  test('only so many requests are worked on at the same time; the others wait their turn', async () => {
    let running = 0
    let most = 0
    const gates: (() => void)[] = []
    await using server = await start({ limits: { maxConcurrentRequests: 2 } }, (app) => {
      app.get('/', async () => {
        running += 1
        most = Math.max(most, running)
        await new Promise<void>((resolve) => void gates.push(resolve))
        running -= 1
        return 'ok'
      })
    })
    const answers = Promise.all(Array.from({ length: 6 }, () => get(server.port, '/')))
    for (let done = 0; done < 6; done += 1) {
      await expect.poll(() => gates.length).toBeGreaterThan(0)
      gates.shift()?.()
    }
    expect((await answers).map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 200])
    expect(most).toBe(2)
  })

  test('clients that leave while they wait, or while they are served, keep no place', async () => {
    let running = 0
    const gates: (() => void)[] = []
    const seen: string[] = []
    await using server = await start({ limits: { maxConcurrentRequests: 2 } }, (app) => {
      app.server.on('request', ({ url }) => void seen.push(url ?? ''))
      app.post('/held', async () => 'ok')
      app.get('/', async (request) => {
        seen.push(`handled ${request.url}`)
        return 'ok'
      })
      app.get('/gated', async () => {
        running += 1
        await new Promise<void>((resolve) => void gates.push(resolve))
        running -= 1
        return 'ok'
      })
    })
    const connections = async (): Promise<number> =>
      await new Promise((resolve, reject) => {
        server.app.server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)))
      })
    const open = (head: string): Socket => {
      const socket = connect(server.port, '127.0.0.1')
      socket.write(`${head} HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 10\r\n\r\n`)
      return socket
    }
    const holding = [open('POST /held'), open('POST /held')]
    await expect.poll(() => seen.length).toBe(2)
    const waiting = Array.from({ length: 6 }, () => open('GET /'))
    await expect.poll(() => seen.length).toBe(8)
    for (const socket of waiting) socket.destroy()
    await expect.poll(connections).toBe(2)
    for (const socket of holding) socket.destroy()
    await expect.poll(connections).toBe(0)
    const answers = Array.from({ length: 3 }, () => get(server.port, '/gated'))
    await expect.poll(() => running).toBe(2)
    await expect.poll(() => seen.filter((url) => url === '/gated').length).toBe(3)
    expect(running).toBe(2)
    for (let done = 0; done < 3; done += 1) {
      await expect.poll(() => gates.length).toBeGreaterThan(0)
      gates.shift()?.()
    }
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([200, 200, 200])
    expect(seen).not.toContain('handled /')
  })

  test('work that begins after its client has left knows it', async () => {
    const left = Promise.withResolvers<void>()
    const found = Promise.withResolvers<{ aborted: boolean; body: string }>()
    const entered = Promise.withResolvers<void>()
    await using server = await start({}, (app) => {
      app.addHook('onRequest', async (request, reply) => {
        entered.resolve()
        await left.promise
        const body = await readBody(request.raw, 100).then(String, (error: unknown) => errorCode(error) ?? '')
        found.resolve({ aborted: goneSignal(reply).aborted, body })
        return reply.hijack()
      })
      app.post('/', async () => 'ok')
      app.server.on('connection', (socket) => void socket.once('close', () => left.resolve()))
    })
    const socket = connect(server.port, '127.0.0.1')
    socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf')
    await entered.promise
    socket.destroy()
    expect(await found.promise).toEqual({ aborted: true, body: 'MS_REQUEST_ABORTED' })
  })

  test('without keep-alive a connection serves one request', async () => {
    await using server = await start({ limits: { keepAlive: false } }, (app) => void app.get('/', async () => 'ok'))
    const agent = new Agent({ keepAlive: true })
    expect((await get(server.port, '/', { agent })).connection).toBe('close')
    agent.destroy()
  })

  test('an idle connection is closed after its time', async () => {
    await using server = await start({ limits: { idleTimeoutMs: 50 } }, (app) => void app.get('/', async () => 'ok'))
    const socket = connect(server.port, '127.0.0.1')
    const ended = once(socket, 'close')
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    socket.resume()
    expect(await ended).toEqual([false])
  })
})

describe('start and stop (ha-api 20.1, 20.2)', () => {
  test('a stop lets running requests end and takes no new ones', async () => {
    const gate = Promise.withResolvers<void>()
    const entered = Promise.withResolvers<void>()
    const server = await start({}, (app) => {
      app.get('/', async () => {
        entered.resolve()
        await gate.promise
        return 'done'
      })
    })
    const answer = get(server.port, '/')
    await entered.promise
    const stopped = server[Symbol.asyncDispose]()
    await expect
      .poll(() =>
        get(server.port, '/').then(
          () => 'open',
          () => 'refused',
        ),
      )
      .toBe('refused')
    gate.resolve()
    expect((await answer).text).toBe('done')
    await stopped
  })

  test('what does not end in time is cut off', async () => {
    const entered = Promise.withResolvers<void>()
    const server = await start({}, (app) => {
      app.get('/', async () => {
        entered.resolve()
        return await new Promise<string>(() => undefined)
      })
    })
    const answer = get(server.port, '/').catch((error: unknown) => error)
    await entered.promise
    await stopServing(server.app, { clock, timeoutMs: 20 })
    expect(await answer).toBeInstanceOf(Error)
  })

  test('an address in use is refused with a reason', async () => {
    await using server = await start({}, () => undefined)
    const other = createHttpApp({ clock, ids: new SystemIds(), metrics: new Metrics() })
    await expect(listenOn(other, { host: '127.0.0.1', port: server.port })).rejects.toThrow(
      /something else listens there/,
    )
    await other.close()
  })

  test('a socket that was opened by somebody else is served', async () => {
    await using cluster = await Cluster.create({ name: 'inheriting' })
    const server = cluster.add({
      name: 'inheriting',
      command: () => [process.execPath, '--input-type=module', '-e', INHERITING],
      cwd: import.meta.dirname,
      listen: [{ name: 'http', handover: 'systemd' }],
      ready: { http: '/' },
      startTimeoutMs: 30_000,
    })
    await server.start()
    expect((await get(server.port, '/')).text).toBe('inherited')
    expect(await server.stop()).toMatchObject({ code: 0 })
  })

  test.each([
    [{ LISTEN_FDS: '1', LISTEN_PID: '7' }, { fd: 3 }],
    [{ LISTEN_FDS: '1', LISTEN_PID: '8' }, undefined],
    [{ LISTEN_FDS: '0', LISTEN_PID: '7' }, undefined],
    [{}, undefined],
  ])('%j for process 7 means %j', (env, expected) => {
    expect(inheritedSocket(env, 7)).toEqual(expected)
  })
})

describe('TLS (ha-api 20.1)', () => {
  let directory: string
  let cert: string
  let key: string

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'mainstay-tls-'))
    cert = join(directory, 'cert.pem')
    key = join(directory, 'key.pem')
    await runCommand(
      [
        'openssl',
        'req',
        '-x509',
        '-newkey',
        'rsa:2048',
        '-nodes',
        '-days',
        '2',
        '-subj',
        '/CN=127.0.0.1',
        '-addext',
        'subjectAltName=IP:127.0.0.1',
        '-keyout',
        key,
        '-out',
        cert,
      ],
      { timeoutMs: 30_000 },
    )
  })

  afterAll(async () => {
    await rm(directory, { recursive: true })
  })

  test('serves with a certificate', async () => {
    await using server = await start(
      { tls: { certFile: cert, keyFile: key } },
      (app) => void app.get('/', async () => 'secret'),
    )
    const ca = await readFile(cert, 'utf8')
    expect((await get(server.port, '/', { secure: true, ca })).text).toBe('secret')
    await expect(get(server.port, '/', { secure: true })).rejects.toThrow(/self-signed/)
  })

  test('with authorities for clients, only their certificates are let in', async () => {
    const tls = { certFile: cert, keyFile: key, clientCaFile: cert }
    await using server = await start({ tls }, (app) => void app.get('/', async () => 'secret'))
    const ca = await readFile(cert, 'utf8')
    await expect(get(server.port, '/', { secure: true, ca })).rejects.toThrow(/certificate|ECONNRESET/)
    const mine = { ca, cert: ca, key: await readFile(key, 'utf8') }
    expect((await get(server.port, '/', { secure: true, ...mine })).text).toBe('secret')
  })

  test('missing files are named', () => {
    const make = (certFile: string | null): HttpApp =>
      createHttpApp({ clock, ids: new SystemIds(), metrics: new Metrics() }, { tls: { certFile, keyFile: key } })
    expect(() => make(null)).toThrow(/needs both/)
    expect(() => make('/nowhere/cert.pem')).toThrow(/\/nowhere\/cert.pem/)
  })
})

describe('native routes and operations', () => {
  test('routes run in the context of their request, and errors have one form', async () => {
    const deps = { clock, logger: createLogger({ level: 'silent' }), authenticate: noauth2 }
    await using server = await start({}, async (app) => {
      await registerNative(app, deps, (native) => {
        native.get('/api/v1/who', async (request) => ({
          same: currentContext() === requestContextOf(request),
          user: currentContext()?.userId,
        }))
        native.get('/api/v1/conflict', async () => {
          throw new ConflictError('Not now.')
        })
        native.get('/api/v1/bug', async () => {
          throw new TypeError('secret detail')
        })
      })
      await registerNativeNotFound(app, deps)
    })
    const who = await get(server.port, '/api/v1/who', { headers: { 'X-User-Id': 'alice' } })
    expect(who.text).toBe('{"same":true,"user":"alice"}')
    const conflict = await get(server.port, '/api/v1/conflict')
    expect(conflict.status).toBe(409)
    expect(conflict.text).toContain('"code":"MS_CONFLICT","message":"Not now."')
    const bug = await get(server.port, '/api/v1/bug')
    expect(bug.status).toBe(500)
    expect(bug.text).not.toContain('secret detail')
    expect((await get(server.port, '/api/v1/nothing')).status).toBe(404)
  })

  test('tells what it does, whether it lives and whether it is ready', async () => {
    let broken = false
    await using server = await start({}, (app) => {
      registerOperations(app, {
        metrics: new Metrics(),
        readiness: {
          store: async () => {
            if (broken) throw new Error('disk gone')
          },
        },
      })
    })
    expect(await get(server.port, '/health/live')).toMatchObject({ status: 200 })
    expect(await get(server.port, '/health/ready')).toMatchObject({ status: 200 })
    broken = true
    const unready = await get(server.port, '/health/ready')
    expect([unready.status, unready.text.includes('disk gone')]).toEqual([503, true])
    expect((await get(server.port, '/metrics')).status).toBe(200)
  })

  test('the access log has the form that is configured', async () => {
    const lines: string[] = []
    const logger = createLogger({ format: 'json', destination: { write: (line) => void lines.push(line) } })
    const format = '%(client_ip)s "%(request_line)s" %(status_code)d len=%(body_length)s'
    await using server = await start({ accessLog: { logger, format } }, (app) => void app.get('/x', async () => 'four'))
    await get(server.port, '/x?a=1')
    await expect.poll(() => lines.join('')).toContain('127.0.0.1 \\"GET /x?a=1 HTTP/1.1\\" 200 len=4')
  })

  test('an access template keeps what it does not know', () => {
    const access = {
      client_ip: 'c',
      date_time: 'd',
      request_line: 'r',
      status_code: 200,
      body_length: 3,
      wall_seconds: 0.5,
    }
    expect(formatAccess('%(wall_seconds).3f %(other)s %% %(wall_seconds)f', access)).toBe('0.500 %(other)s % 0.500000')
  })
})
