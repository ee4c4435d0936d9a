import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { describe, expect, onTestFinished, test, vi } from 'vitest'

import { ManualClock } from '../../core/clock.ts'
import { silentLogger } from '../../core/logging.ts'
import { SpawnFailError } from './errors.ts'
import { runVmmHook, type RunVmmHook } from './hook.ts'
import type { BusMessage } from './messages.ts'
import { DEFAULT_VMM_GROUP, DEFAULT_VMM_OPTIONS, type VmmGroup } from './options.ts'
import { Spawner, spawnMachine } from './spawner.ts'

const EXISTING = '/bin/true'
const GOOD = '"IP=127.0.0.1" "vm_name=foobar"'

function optionsWith(...groups: Partial<VmmGroup>[]) {
  return { ...DEFAULT_VMM_OPTIONS, groups: groups.map((group) => ({ ...DEFAULT_VMM_GROUP, ...group })) }
}

function newSpawner(group: Partial<VmmGroup>, runHook: RunVmmHook = async () => GOOD) {
  const published: BusMessage[] = []
  const publish = vi.fn(async (message: BusMessage) => void published.push(message))
  const options = optionsWith({ name: 'unused', spawnPlaybook: EXISTING }, group)
  const clock = new ManualClock()
  const spawner = new Spawner(options, { clock, logger: silentLogger(), publish, runHook })
  return { spawner, publish, published, clock, options }
}

/** Runs one spawn of group 1 to its end. */
async function spawnOne(spawner: Spawner): Promise<void> {
  await spawner.startSpawn(1)
  await vi.waitFor(() => expect(spawner.getProcNumPerGroup(1)).toBe(0), { timeout: 30_000 })
}

describe('what a spawn hook prints (vm-pool.md A8)', () => {
  test.each([
    ['', /no result/],
    ['something else', /no IP/],
    ['"IP=foobar" "vm_name=foobar"', /invalid IP/],
    ['"IP=256.0.0.2" "vm_name=foobar"', /invalid IP/],
    ['"IP=not-an-ip" "vm_name=foobar"', /invalid IP/],
    ['"IP=example.com" "vm_name=foobar"', /invalid IP/],
    ['"IP=" "vm_name=foobar"', /no IP/],
    ['"IP=127.0.0.1"', /no vm_name/],
  ])('B-63 %s is refused', async (output, reason) => {
    const { options } = newSpawner({ spawnPlaybook: EXISTING })
    const runHook: RunVmmHook = async () => output
    const spawning = spawnMachine(options, 1, { runHook, signal: AbortSignal.timeout(30_000) })
    await expect(spawning).rejects.toThrow(SpawnFailError)
    await expect(spawning).rejects.toThrow(reason)
    await expect(spawning).rejects.toMatchObject({ output })
  })

  test.each([
    [GOOD, '127.0.0.1'],
    ['noise\n{\\"IP=::1\\", \\"vm_name=foobar\\"} "IP=10.0.0.9"', '::1'],
    ['PLAY [all]\n{"vm_ip":"10.0.0.1","vm_name":"foobar","data":{"id":7}}\n', '10.0.0.1'],
  ])('B-63 %s names a machine', async (output, address) => {
    const { options } = newSpawner({ spawnPlaybook: EXISTING })
    const runHook: RunVmmHook = async () => output
    const machine = await spawnMachine(options, 1, { runHook, signal: AbortSignal.timeout(30_000) })
    expect(machine).toMatchObject({ address, name: 'foobar' })
  })
})

describe('the spawner (vm-pool.md A8)', () => {
  test.each([
    ['an unknown group', 7, EXISTING],
    ['no hook', 1, undefined],
    ['a null hook', 1, null],
    ['an empty hook', 1, []],
    ['a missing file', 1, '/nowhere/spawn.yml'],
    ['a missing program', 1, ['/nowhere/spawn', '--fast']],
  ] as const)('B-64 %s is refused before anything starts', async (_, group, spawnPlaybook) => {
    const { spawner } = newSpawner({ spawnPlaybook })
    await expect(spawner.startSpawn(group)).rejects.toThrow(SpawnFailError)
    expect(await spawner.childrenNumber()).toBe(0)
  })

  test('B-64 a spawn counts for its group until it has ended, and no longer', async () => {
    const hook = Promise.withResolvers<string>()
    const { spawner } = newSpawner({ spawnPlaybook: EXISTING }, async () => await hook.promise)
    await spawner.startSpawn(1)
    expect([0, 1].map((group) => spawner.getProcNumPerGroup(group))).toEqual([0, 1])
    hook.resolve(GOOD)
    await vi.waitFor(() => expect(spawner.getProcNumPerGroup(1)).toBe(0), { timeout: 30_000 })
    expect(await spawner.childrenNumber()).toBe(1)
    await spawner.recycle(true)
    expect(await spawner.childrenNumber()).toBe(0)
  })

  test.each([
    ['printed nothing', async () => ''],
    ['failed', async () => Promise.reject(new SpawnFailError('status 1'))],
    ['threw something else', async () => Promise.reject(new TypeError('broken'))],
  ] satisfies [string, RunVmmHook][])('B-65 nothing is published of a hook that %s', async (_, runHook) => {
    const { spawner, publish } = newSpawner({ spawnPlaybook: EXISTING }, runHook)
    await spawnOne(spawner)
    expect(publish).not.toHaveBeenCalled()
  })

  test('B-65 a machine that was made is told of once, with its group', async () => {
    const { spawner, published } = newSpawner({ spawnPlaybook: EXISTING })
    await spawnOne(spawner)
    expect(published).toEqual([{ topic: 'vm_spawned', vm_ip: '127.0.0.1', vm_name: 'foobar', group: 1 }])
  })

  test('B-65 that it cannot be told is nobody else’s trouble', async () => {
    const { spawner, publish } = newSpawner({ spawnPlaybook: EXISTING })
    publish.mockRejectedValue(new Error('Redis is away'))
    await spawnOne(spawner)
    expect(publish).toHaveBeenCalledTimes(1)
  })

  test.each([
    ['both', GOOD, true],
    ['no name', '"IP=127.0.0.1"', false],
    ['no address', '"vm_name=foobar"', false],
    ['nothing', '', false],
  ])('A8 a hook that failed and printed %s: the half-made machine is destroyed %s', async (_, output, destroyed) => {
    const runHook = vi.fn<RunVmmHook>(async (_command, { what }) => {
      if (what === 'spawn') throw new SpawnFailError('status 2', { output })
      return ''
    })
    const hooks = { spawnPlaybook: EXISTING, terminatePlaybook: ['/bin/echo', '${MAINSTAY_VM_NAME}'] }
    const { spawner, publish } = newSpawner(hooks, runHook)
    await spawnOne(spawner)
    const terminations = runHook.mock.calls.filter(([, { what }]) => what === 'terminate')
    expect(terminations.map(([command]) => command)).toEqual(destroyed ? [['/bin/echo', 'foobar']] : [])
    expect(publish).not.toHaveBeenCalled()
  })
})

describe('real hooks (vm-pool.md A8)', () => {
  async function script(text: string): Promise<string> {
    const directory = await mkdtemp(join(tmpdir(), 'mainstay-hook-'))
    onTestFinished(async () => await rm(directory, { recursive: true, force: true }))
    const file = join(directory, 'hook')
    await writeFile(file, `#!/bin/sh\n${text}\n`)
    await chmod(file, 0o755)
    return file
  }

  test('are told of the group, and may talk on both outputs', async () => {
    const hook = await script('echo "spawning for $MAINSTAY_VM_GROUP" >&2; echo "IP=10.0.0.1"; echo "vm_name=real"')
    const { spawner, published } = newSpawner({ spawnPlaybook: hook }, runVmmHook)
    await spawnOne(spawner)
    expect(published).toMatchObject([{ vm_ip: '10.0.0.1', vm_name: 'real' }])
  })

  test('that fail are reported with what they printed', async () => {
    const hook = await script('echo no quota left; exit 3')
    const { options } = newSpawner({ spawnPlaybook: hook })
    const spawning = spawnMachine(options, 1, { runHook: runVmmHook, signal: AbortSignal.timeout(30_000) })
    await expect(spawning).rejects.toThrow(/status 3/)
    await expect(spawning).rejects.toMatchObject({ code: 'MS_VMM_SPAWN_FAILED', output: 'no quota left\n' })
  })

  test('that never end are ended with the playbook timeout', async () => {
    const hook = await script('echo "$$" > "$0.pid"; exec sleep 600')
    const { options } = newSpawner({ spawnPlaybook: hook, playbookTimeout: 1 })
    const spawning = spawnMachine(options, 1, { runHook: runVmmHook, signal: AbortSignal.timeout(60_000) })
    await expect(spawning).rejects.toThrow(/took longer than 1000 ms/)
    const pid = Number(await readFile(`${hook}.pid`, 'utf8'))
    expect(() => process.kill(pid, 0)).toThrow(/ESRCH/)
  })

  test('end with the spawner', async () => {
    const hook = await script('echo "$$" > "$0.tmp"; mv "$0.tmp" "$0.pid"; exec sleep 600')
    const { spawner, publish } = newSpawner({ spawnPlaybook: hook }, runVmmHook)
    await spawner.startSpawn(1)
    const pid = await vi.waitFor(async () => Number(await readFile(`${hook}.pid`, 'utf8')), { timeout: 30_000 })
    await spawner.terminate()
    expect(() => process.kill(pid, 0)).toThrow(/ESRCH/)
    expect(publish).not.toHaveBeenCalled()
  })
})
