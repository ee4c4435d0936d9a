import { describe, expect, test, vi } from 'vitest'

import { SystemClock } from '../core/clock.ts'
import { CommandProvider, type HookCommand } from './provider/command/index.ts'
import { labelOptions } from './testing/counts.ts'
import { PoolRig } from './testing/rig.ts'
import { servePool } from './testing/served-pool.ts'

// Real programs are run, which takes its time on a busy machine.
vi.setConfig({ testTimeout: 30_000 })

const sh = (script: string): HookCommand => ['sh', '-c', script]

/** A pool whose machines are made by one shell script. */
async function poolOf(create: string, createTimeoutMs = 10_000) {
  const hooks = { create: sh(create), destroy: sh('true'), list: sh('echo "[]"'), describe: sh('echo null') }
  const settings = { createTimeoutMs, killGraceMs: 100, pollMs: 20 }
  const provider = new CommandProvider({
    name: 'hooks',
    installation: 'test',
    clock: new SystemClock(),
    hooks,
    settings,
  })
  return await servePool({ provider, labels: [labelOptions({ label: 'g', minReady: 1 })] })
}

async function firstFailure(create: string, createTimeoutMs?: number): Promise<string> {
  await using pool = await poolOf(create, createTimeoutMs)
  const failure = Promise.withResolvers<string>()
  pool.pool.watch.on((news) => {
    if (news.kind === 'change' && news.change.kind === 'vm.spawn_failed') failure.resolve(news.change.reason ?? '')
  })
  const reason = await failure.promise
  // Nothing of it is handed out, and what may be left is cleared away.
  await vi.waitUntil(
    async () =>
      (await pool.store.list({ limit: 99 })).vms.every(({ state }) => state === 'requested' || state === 'building'),
    { timeout: 20_000 },
  )
  expect(await pool.store.verify()).toEqual([])
  return reason
}

describe('C6 hooks that misbehave', () => {
  test.each([
    ['prints garbage', 'head -c 2000 /dev/urandom | base64; echo "}{ not JSON"', 'no IP in the result'],
    ['prints nothing', 'true', 'no result'],
    ['prints an address that is none', 'echo IP=999.1.2.3; echo vm_name=$MAINSTAY_VM_NAME', 'invalid IP'],
    ['prints no name', 'echo IP=192.0.2.1', 'no vm_name'],
    ['fails with words', 'echo "out of cheese" >&2; exit 3', 'out of cheese'],
  ])('C6 one that %s fails the spawn with its words, and nothing is handed out', async (_what, script, reason) => {
    expect(await firstFailure(script)).toContain(reason)
  })

  test('C6 one that never ends is ended after its time', async () => {
    expect(await firstFailure('sleep 1000', 300)).toMatch(/took longer|300 ms/)
  })
})

describe('C10 a provider that lies about its list', () => {
  const options = {
    labels: [labelOptions({ label: 'g', minReady: 12 })],
    groups: [{ id: 'g', maxTotal: 0, maxSpawns: 0 }],
    reconcile: { periodMs: 10_000, graceMs: 5000, settleMs: 1000 },
  }
  const readyNames = async (rig: PoolRig): Promise<string[]> => {
    const store = await rig.open()
    return (await store.list({ states: ['ready', 'check_health'], limit: 99 })).vms.map(({ name }) => name)
  }

  test.each(['lie', 'partial', 'stale', 'transient', 'authentication'] as const)(
    'C10 %s: no machine and no record is lost',
    async (fault) => {
      await using rig = new PoolRig(options)
      await rig.process()
      await rig.until('twelve are ready', async () => (await readyNames(rig)).length === 12)
      const before = await readyNames(rig)
      rig.cloud.faults.order('list', fault, { times: 1000 })
      await rig.clock.advance(60_000)
      expect(await readyNames(rig)).toEqual(before)
      expect(rig.cloud.machines().filter(({ status }) => status === 'running')).toHaveLength(12)
    },
  )

  test('C10 a destruction that is said to be done and is not: the machine is found again and destroyed', async () => {
    await using rig = new PoolRig(options)
    const process = await rig.process()
    await rig.until('twelve are ready', async () => (await readyNames(rig)).length === 12)
    const [name] = await readyNames(rig)
    rig.cloud.faults.order('destroy', 'lie', { machine: name!, times: 1 })
    await process.operator.delete([name!], { force: false, reason: 'test' })
    await rig.until('its record is gone', async () => (await process.store.get(name!)) === null)
    expect(rig.cloud.byName(name!), 'the cloud lied').toHaveLength(1)
    await rig.until('the machine is gone as well', () => rig.cloud.byName(name!).length === 0, 60_000)
  })
})
