import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { expect, onTestFinished, test, vi } from 'vitest'

import { SystemClock } from '../../core/clock.ts'
import { silentLogger } from '../../core/logging.ts'
import { loadConfig } from '../config/load.ts'
import { poolLooks } from './check-pool.ts'

// A Redis that is not there is waited for.
vi.setConfig({ testTimeout: 30_000 })

async function looks(...set: readonly string[]): Promise<Record<string, string>> {
  const directory = await mkdtemp(join(tmpdir(), 'mainstay-check-pool-'))
  onTestFinished(async () => await rm(directory, { recursive: true }))
  const config = await loadConfig({ set, overrides: { 'server.data_dir': directory } })
  const deps = {
    clock: new SystemClock(),
    logger: silentLogger(),
    signal: AbortSignal.timeout(20_000),
    timeoutMs: 2000,
  }
  const found: Record<string, string> = {}
  for (const { name, look } of poolLooks(config, deps))
    found[name] = await look().catch((error: unknown) => String(error))
  return found
}

const GROUP = 'pool.groups=[{ id = "a", min_ready = 1 }]'

test('C15 check looks at the options of the pool and at each provider', async () => {
  const providers =
    'pool.providers=[{ name = "sim", driver = "simulated" }, { name = "hooks", driver = "command", command = { create = ["x"], destroy = ["x"] } }]'
  expect(await looks(GROUP, providers)).toEqual({
    pool: '1 groups, 1 sized labels, 2 providers',
    'pool provider sim': 'simulated, 0 machines of this installation',
    'pool provider hooks': 'command, which cannot list: what a crash leaves behind is not found',
  })
})

test('C15 check says what is wrong', async () => {
  const providers =
    'pool.providers=[{ name = "hooks", driver = "command", command = { create = ["x"], destroy = ["x"], list = ["/no/such/program"] } }]'
  const found = await looks(
    'pool.groups=[{ id = "a", providers = ["nope"] }]',
    providers,
    'pool.redis_url=redis://127.0.0.1:1/0',
  )
  expect(found['pool']).toContain('names a provider nope')
  expect(found['pool (redis)']).toContain('RedisUnavailableError')
  expect(found['pool provider hooks']).toContain('/no/such/program')
})

test('C15 without a pool there is nothing to look at', async () => {
  expect(await looks()).toEqual({})
})
