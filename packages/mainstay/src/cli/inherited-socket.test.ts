import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { Cluster, type ManagedServer } from '@mainstay/testkit'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'

import { serveSpec } from '../server/testkit-specs.ts'

// A whole server is started, which takes its time on a busy machine.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

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

function printed(server: ManagedServer): string {
  const lines = server.logs().filter(({ stream }) => stream === 'stdout')
  return lines.map(({ text }) => text).join('\n')
}

describe('the socket that a service manager has opened (ha-api 20.1)', () => {
  test.each([
    ['by the Node that it was built for', false],
    ['by the pinned Node, to which an older one hands over', true],
  ])('is served %s', async (_, isOld) => {
    // The kit is the service manager: the number that the server prints is that of the kit's socket.
    const spec = serveSpec({ nodeArguments: isOld ? ['--import', oldNode] : [] })
    await using cluster = await Cluster.create({ name: 'inherited', mode: 'process', servers: [spec] })
    await cluster.startAll()
    const server = cluster.get('mainstay')
    expect(printed(server)).toContain(server.url)
    const answer = await fetch(`${server.url}/health/live`, { signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) })
    expect(answer.status).toBe(200)
  })

  test('is left alone when it was meant for another process', async () => {
    const spec = serveSpec({
      nodeArguments: ['--import', oldNode],
      env: { LISTEN_FDS: '1', LISTEN_PID: '1' },
      set: ['server.listen=127.0.0.1:0'],
    })
    await using cluster = await Cluster.create({ name: 'inherited', mode: 'process' })
    const server = cluster.add({
      ...spec,
      // The socket is there all the same.
      listen: [{ name: 'http', handover: { env: 'SOCKET_OF_ANOTHER' } }],
      ready: { log: /127\.0\.0\.1:\d+/ },
    })
    await server.start()
    expect(printed(server)).toMatch(/serves http:\/\/127\.0\.0\.1:\d+/)
    expect(printed(server)).not.toContain(server.url)
  })
})
