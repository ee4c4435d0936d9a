import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { Agent, request, type ClientRequest } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { expect, onTestFinished, test } from 'vitest'

import { waitUntil } from '../real/lab/wait-until.ts'
import { ServeProcess } from '../support/serve-process.ts'

const PATIENCE_MS = 30_000

/** A server with a request whose body does not come to its end. */
async function busyServer(): Promise<ServeProcess> {
  const dataDir = await mkdtemp(join(tmpdir(), 'mainstay-signals-'))
  onTestFinished(async () => await rm(dataDir, { recursive: true, force: true }))
  const set = ['compute.simulated_hosts=1', 'compute.simulated_guests=0', 'log.level=warn']
  const server = await ServeProcess.start({ dataDir, set })
  onTestFinished(async () => await server.kill())
  await once(halfRequest(server.url), 'continue')
  return server
}

function halfRequest(url: string): ClientRequest {
  const agent = new Agent()
  onTestFinished(() => agent.destroy())
  const headers = { 'content-type': 'application/json', 'content-length': 100, expect: '100-continue' }
  const sending = request(`${url}/v1/segments`, { method: 'POST', headers, agent })
  // The server goes away before it has answered.
  sending.on('error', () => undefined)
  sending.flushHeaders()
  return sending
}

test.each([
  ['SIGTERM', 'SIGINT'],
  ['SIGTERM', 'SIGTERM'],
] as const)(
  '20.2 %s waits for a running request; %s after it does not',
  async (first, second) => {
    const server = await busyServer()
    const { url } = server
    server.signal(first)
    const refused = async (): Promise<boolean> =>
      await fetch(`${url}/healthcheck`).then(
        () => false,
        () => true,
      )
    await waitUntil(refused, { timeoutMs: PATIENCE_MS, what: 'a server that takes no new connection' })
    expect(server.alive).toBe(true)
    server.signal(second)
    await waitUntil(() => !server.alive, { timeoutMs: PATIENCE_MS, what: 'the end of the server' })
    // Ended by the signal, not in good order.
    expect((await server.ended()).code).toBeNull()
  },
  90_000,
)

test('20.2 SIGINT ends the server at once, also with a running request', async () => {
  const server = await busyServer()
  server.signal('SIGINT')
  await waitUntil(() => !server.alive, { timeoutMs: PATIENCE_MS, what: 'the end of the server' })
  // Ended by the signal, not in good order.
  expect((await server.ended()).code).toBeNull()
}, 90_000)
