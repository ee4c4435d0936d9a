import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'

// A whole server is started, which takes its time on a busy machine.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const PROGRAM = fileURLToPath(new URL('../../bin/mainstay.mjs', import.meta.url))
const REQUEST_TIMEOUT_MS = 30_000

let directory: string
let oldNode: string

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mainstay-inherited-'))
  // The launcher looks at nothing but the number, so this is an old Node on any machine.
  oldNode = join(directory, 'old-node.mjs')
  await writeFile(
    oldNode,
    "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.20.2' } })\n",
  )
})

afterAll(async () => {
  await rm(directory, { recursive: true, force: true })
})

/** A socket that somebody listens on already, as a service manager's. */
async function openSocket(): Promise<{ opened: Server; fd: number; port: number }> {
  const opened = createServer()
  await new Promise<void>((resolve) => opened.listen(0, '127.0.0.1', resolve))
  const { fd } = (opened as unknown as { _handle: { fd: number } })._handle
  return { opened, fd, port: (opened.address() as AddressInfo).port }
}

/** Starts `mainstay serve` with the socket as descriptor 3; `listenPid` is shell, where `$$` is the program's number. */
function serve(fd: number, listenPid: string, nodeOptions: readonly string[]): ChildProcess {
  const command = `export LISTEN_FDS=1 LISTEN_PID=${listenPid}; exec "$@"`
  const flags = ['--listen', '127.0.0.1:0', '--data-dir', join(directory, 'data')]
  const argv = [process.execPath, ...nodeOptions, PROGRAM, 'serve', ...flags]
  return spawn('/bin/sh', ['-c', command, 'sh', ...argv], { stdio: ['ignore', 'pipe', 'inherit', fd] })
}

/** @returns what the server has printed once it says where it listens */
async function untilReady(server: ChildProcess): Promise<string> {
  let text = ''
  const ready = Promise.withResolvers<void>()
  // Read on to the end: a server whose reader went away ends.
  server.stdout!.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk
    if (/127\.0\.0\.1:\d+/.test(text)) ready.resolve()
  })
  server.once('exit', () => ready.reject(new Error(`The server ended: ${text}`)))
  await ready.promise
  return text
}

async function end(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return
  server.kill('SIGTERM')
  await once(server, 'exit')
}

describe('the socket that a service manager has opened (ha-api 20.1)', () => {
  test.each([
    ['by the Node that it was built for', false],
    ['by the pinned Node, to which an older one hands over', true],
  ])('is served %s', async (_, isOld) => {
    const { opened, fd, port } = await openSocket()
    const server = serve(fd, '$$', isOld ? ['--import', oldNode] : [])
    try {
      expect(await untilReady(server)).toContain(`127.0.0.1:${port}`)
      opened.close()
      const answer = await fetch(`http://127.0.0.1:${port}/health/live`, {
        signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
      })
      expect(answer.status).toBe(200)
    } finally {
      opened.close()
      await end(server)
    }
  })

  test('is left alone when it was meant for another process', async () => {
    const { opened, fd, port } = await openSocket()
    const server = serve(fd, '1', ['--import', oldNode])
    try {
      expect(await untilReady(server)).not.toContain(`127.0.0.1:${port}`)
    } finally {
      opened.close()
      await end(server)
    }
  })
})
