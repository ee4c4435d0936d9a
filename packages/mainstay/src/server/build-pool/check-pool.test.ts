import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import { expect, onTestFinished, test, vi } from 'vitest'

import { SystemClock } from '../../core/clock.ts'
import { SystemIds } from '../../core/ids.ts'
import { silentLogger } from '../../core/logging.ts'
import { groupRules, poolRules } from '../../pool/options.ts'
import { openSqlitePool } from '../../pool/sqlite/store.ts'
import { openStore } from '../build-store.ts'
import { loadConfig } from '../config/load.ts'
import { poolLooks } from './check-pool.ts'

// A Redis that is not there is waited for.
vi.setConfig({ testTimeout: 30_000 })

async function ownDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'mainstay-check-pool-'))
  onTestFinished(async () => await rm(directory, { recursive: true }))
  return directory
}

async function looks(...set: readonly string[]): Promise<Record<string, string>> {
  return await looksIn(await ownDirectory(), ...set)
}

async function looksIn(directory: string, ...set: readonly string[]): Promise<Record<string, string>> {
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
    'pool machines': 'no records yet',
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

test('C10 check warns of machines whose provider is not configured any more', async () => {
  const directory = await ownDirectory()
  const clock = new SystemClock()
  const ids = new SystemIds()
  const config = await loadConfig({ overrides: { 'server.data_dir': directory } })
  const built = openStore(config, { clock, logger: silentLogger() })
  await built.store.migrate()
  const store = openSqlitePool({ store: built.store, ids })
  await store.configure({ pool: poolRules(), groups: [groupRules({ id: 'a' })] }, { fence: null })
  const record = { group: 'a', ip: '192.0.2.1', now: clock.now(), fence: null }
  await store.addVm({ ...record, name: 'vm-1', provider: 'before' })
  await store.addVm({ ...record, name: 'vm-2', provider: 'sim' })
  await store.addVm({ ...record, name: 'vm-3', provider: null })
  await store[Symbol.asyncDispose]()
  await built.release()
  const found = await looksIn(directory, GROUP, 'pool.providers=[{ name = "sim", driver = "simulated" }]')
  expect(found['pool machines']).toMatch(
    /^warning: The pool has 1 machines of the provider before \(vm-1\), which is not/,
  )
})

test('C15 check waits for a libvirtd that is not there, and says so', async () => {
  const directory = await ownDirectory()
  const template = join(directory, 'builder.xml')
  await writeFile(template, '<domain type="kvm"><name>b</name><devices/></domain>')
  const libvirt = `{ socket = "${join(directory, 'none')}", templates = [{ file = "${template}", disk_base = "/b", disk_pool = "p" }] }`
  // In a process of its own: in this one there is always something that keeps it alive.
  const program = fileURLToPath(new URL('../../../bin/mainstay.mjs', import.meta.url))
  const providers = `pool.providers=[{ name = "kvm", driver = "libvirt", libvirt = ${libvirt} }]`
  const options = ['--data-dir', directory, '--set', GROUP, '--set', providers, '--set', 'check.timeout_ms=1000']
  const ran = promisify(execFile)(process.execPath, [program, 'check'].concat(options), { timeout: 25_000 })
  const failure = await ran.catch((error: unknown) => error)
  expect(failure).toMatchObject({ code: 1, stdout: expect.stringContaining('FAILED  pool provider kvm') })
})

test('C15 without a pool there is nothing to look at', async () => {
  expect(await looks()).toEqual({})
})
