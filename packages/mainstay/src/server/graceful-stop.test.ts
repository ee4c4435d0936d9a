import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { Agent, request, type IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { expect, test } from 'vitest'

import { ManualClock } from '../core/clock.ts'
import { silentLogger } from '../core/logging.ts'
import { loadConfig } from './config/load.ts'
import { startServer } from './start-server.ts'

/** Longer than any part may take to stop. */
const LONG_MS = 30_000

test('20.2 without a limit, stopping waits for a running request as long as it takes', async () => {
  await using cleanup = new AsyncDisposableStack()
  const directory = await mkdtemp(join(tmpdir(), 'mainstay-stop-'))
  cleanup.defer(async () => await rm(directory, { recursive: true }))
  const clock = new ManualClock()
  const config = await loadConfig({
    set: [
      'server.listen=127.0.0.1:0',
      `server.data_dir=${directory}`,
      'server.graceful_shutdown_timeout_ms=0',
      'compute.simulated_hosts=1',
      'compute.simulated_guests=0',
    ],
  })
  const server = await startServer(config, { clock, logger: silentLogger() })
  const body = JSON.stringify({ segment: { name: 's1', recovery_method: 'auto', service_type: 'COMPUTE' } })
  const agent = new Agent()
  cleanup.defer(() => agent.destroy())
  const running = request(`${server.url}/v1/segments`, {
    method: 'POST',
    agent,
    headers: { 'content-type': 'application/json', 'content-length': body.length, expect: '100-continue' },
  })
  running.flushHeaders()
  await once(running, 'continue')

  const stopped = server.stop()
  await clock.advance(LONG_MS)
  const answered = once(running, 'response') as Promise<[IncomingMessage]>
  running.end(body)
  const [response] = await answered
  response.resume()
  expect(response.statusCode).toBe(201)
  // Other parts, such as the engine, wait by the clock until they have let go.
  const ended = new AbortController()
  const turning = (async () => {
    while (!ended.signal.aborted) await clock.advance(10)
  })()
  await stopped.finally(() => ended.abort())
  await turning
}, 60_000)
