import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'

import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { runCommand } from '../core/child-process.ts'
import { ManualClock, SystemClock } from '../core/clock.ts'
import { SystemIds } from '../core/ids.ts'
import { Metrics } from '../core/metrics.ts'
import { createHttpApp, type HttpApp, type HttpAppOptions } from './app.ts'
import { listenOn, stopServing } from './listen.ts'

interface Running extends AsyncDisposable {
  readonly app: HttpApp
  readonly port: number
  readonly clock: ManualClock
}

/** A server whose idle connections end by a clock that is moved by hand. */
async function start(options: HttpAppOptions = {}): Promise<Running> {
  const clock = new ManualClock()
  const app = createHttpApp({ clock, ids: new SystemIds(), metrics: new Metrics() }, options)
  app.get('/', async () => 'ok')
  const port = Number(new URL(await listenOn(app, { host: '127.0.0.1', port: 0 })).port)
  const stop = async (): Promise<void> => await stopServing(app, { clock: new SystemClock(), timeoutMs: 1000 })
  return { app, port, clock, [Symbol.asyncDispose]: stop }
}

/** What a connection has heard when it is closed. */
async function heard(socket: Socket): Promise<string> {
  let text = ''
  socket.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
  await once(socket, 'close')
  return text
}

async function connections({ app }: Running): Promise<number> {
  return await new Promise((resolve, reject) => {
    app.server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)))
  })
}

describe('a connection on which nothing was ever sent (ha-api 20.1)', () => {
  test('is closed without a word after the idle time, and no sooner, however soon a request would be late', async () => {
    await using server = await start({ limits: { idleTimeoutMs: 900_000, requestTimeoutMs: 40 } })
    const late: string[] = []
    server.app.server.on('clientError', (error: NodeJS.ErrnoException) => void late.push(error.code ?? ''))
    const socket = connect(server.port, '127.0.0.1')
    const text = heard(socket)
    await expect.poll(() => late).toEqual(['ERR_HTTP_REQUEST_TIMEOUT'])
    await server.clock.advance(899_999)
    expect(await connections(server)).toBe(1)
    await server.clock.advance(1)
    expect(await text).toBe('')
  })

  test('is served, and its request bounded, when the client speaks up late', async () => {
    await using server = await start({ limits: { requestTimeoutMs: 40 } })
    const late: string[] = []
    server.app.server.on('clientError', (error: NodeJS.ErrnoException) => void late.push(error.code ?? ''))
    const [quick, slow] = [connect(server.port, '127.0.0.1'), connect(server.port, '127.0.0.1')]
    const [quickHeard, slowHeard] = [heard(quick), heard(slow)]
    await expect.poll(() => late.length).toBe(2)
    quick.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    expect(await quickHeard).toMatch(/^HTTP\/1.1 200 OK\r\n/)
    slow.write('GET / HT')
    expect(await slowHeard).toMatch(/^HTTP\/1.1 408 Request Timeout\r\n/)
  })

  test('is kept when it has been used, until it is idle again', async () => {
    await using server = await start({ limits: { idleTimeoutMs: 900_000 } })
    const socket = connect(server.port, '127.0.0.1')
    const text = heard(socket)
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    await once(socket, 'data')
    await server.clock.advance(900_000)
    socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    expect((await text).match(/HTTP\/1.1 200/g)).toHaveLength(2)
    expect(server.clock.pending).toBe(0)
  })

  test('0 keeps it, and one that was used, for ever', async () => {
    await using server = await start({ limits: { idleTimeoutMs: 0 } })
    const socket = connect(server.port, '127.0.0.1')
    await expect.poll(() => connections(server)).toBe(1)
    expect(server.clock.pending).toBe(0)
    expect(server.app.server.keepAliveTimeout).toBe(0)
    socket.destroy()
  })

  describe('with TLS', () => {
    let directory: string
    let tls: { certFile: string; keyFile: string }

    beforeAll(async () => {
      directory = await mkdtemp(join(tmpdir(), 'mainstay-silent-'))
      tls = { certFile: join(directory, 'cert.pem'), keyFile: join(directory, 'key.pem') }
      const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1']
      const files = ['-keyout', tls.keyFile, '-out', tls.certFile]
      await runCommand(
        ['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', ...subject, ...files],
        { timeoutMs: 30_000 },
      )
    })

    afterAll(async () => {
      await rm(directory, { recursive: true })
    })

    test('is closed too, before and after the client has secured it', async () => {
      await using server = await start({ tls, limits: { idleTimeoutMs: 1000 } })
      const bare = connect(server.port, '127.0.0.1')
      const secured = connectTls({ host: '127.0.0.1', port: server.port, ca: await readFile(tls.certFile) })
      const texts = [heard(bare), heard(secured)]
      // One timer for each connection, and one for what is said in the secured one.
      await expect.poll(() => server.clock.pending).toBe(3)
      await server.clock.advance(1000)
      expect(await Promise.all(texts)).toEqual(['', ''])
    })

    test('does not keep a server from stopping', async () => {
      const server = await start({ tls })
      const socket = connect(server.port, '127.0.0.1')
      const text = heard(socket)
      await expect.poll(() => connections(server)).toBe(1)
      await stopServing(server.app, { clock: server.clock, timeoutMs: 0 })
      expect(await text).toBe('')
    })
  })
})
