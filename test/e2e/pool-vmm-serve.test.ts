import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { Cluster } from '@mainstay/testkit'
import { serveSpec } from 'mainstay/testkit'
import { expect, onTestFinished, test, vi } from 'vitest'

import { SystemClock } from '../../packages/mainstay/src/core/clock.ts'
import { silentLogger } from '../../packages/mainstay/src/core/logging.ts'
import {
  DEFAULT_VMM_GROUP,
  DEFAULT_VMM_OPTIONS,
  NoVmAvailable,
  REFERENCE_PREFIX,
  RedisDriver,
  VmManager,
  type VmDescriptor,
} from '../../packages/mainstay/src/pool/vmm/index.ts'
import { PrivateRedis, needRedis } from '../engines/support/private-redis.ts'

const PATIENCE = { timeout: 60_000, interval: 50 }

/** A cloud whose machines are the files of a directory, with the hooks that make and end them, and a login that works. */
async function directoryCloud() {
  const home = await mkdtemp(join(tmpdir(), 'mainstay-cloud-'))
  onTestFinished(async () => await rm(home, { recursive: true, force: true }))
  const machines = join(home, 'machines')
  await mkdir(machines)
  await writeFile(join(machines, 'orphan-1'), '')
  const script = async (name: string, text: string): Promise<string> => {
    const file = join(home, name)
    await writeFile(file, `#!/bin/sh\nset -e\n${text}\n`)
    await chmod(file, 0o755)
    return file
  }
  return {
    spawn: [
      await script('spawn', 'echo "IP=127.0.0.1"; echo "vm_name=$(basename "$(mktemp "$1/vm-XXXXXX")")"'),
      machines,
    ],
    terminate: [await script('terminate', 'rm "$1/$MAINSTAY_VM_NAME"'), machines],
    // Those that are called orphans are old, all others have just been made.
    list: [
      await script(
        'list',
        'cd "$1"; for vm in orphan* vm*; do test -e "$vm" || continue\n' +
          'case "$vm" in orphan*) at=1;; *) at=$(date +%s);; esac\n' +
          'printf "%s{\\"vm_name\\":\\"%s\\",\\"created_at\\":%s}" "${comma:-[}" "$vm" "$at"; comma=,; done; test -n "$comma" && echo "]" || echo "[]"',
      ),
      machines,
    ],
    login: await script('login', 'echo hello'),
    machines: async () => (await readdir(machines)).sort(),
  }
}

test('a pool of a real server is filled, used, ended and filled again, and survives the death of the server', async (ctx) => {
  needRedis(ctx)
  await using redis = await PrivateRedis.start()
  const cloud = await directoryCloud()
  const group = {
    name: 'test',
    spawn_playbook: cloud.spawn,
    terminate_playbook: cloud.terminate,
    max_vm_total: 2,
    vm_spawn_min_interval: 1,
    vm_health_check_period: 1,
  }
  const vmm = {
    redis_port: redis.port,
    redis_prefix: REFERENCE_PREFIX,
    vm_cycle_timeout: 1,
    ssh_program: cloud.login,
    list_playbook: cloud.list,
    orphan_period: 1,
    groups: [group],
  }
  await using cluster = await Cluster.create({
    name: 'vmm',
    mode: 'process',
    servers: [serveSpec({ roles: ['pool'], config: { pool: { compat: 'vmm' }, vmm } })],
  })
  await cluster.startAll()

  const logger = silentLogger()
  const options = {
    ...DEFAULT_VMM_OPTIONS,
    prefix: REFERENCE_PREFIX,
    groups: [{ ...DEFAULT_VMM_GROUP, maxVmPerUser: 2 }],
  }
  const client = new VmManager(options, {
    redis: new RedisDriver(redis.connection, { clock: new SystemClock(), logger }),
    clock: new SystemClock(),
    logger,
  })
  const work = { groups: [0], owner: 'bob', sandbox: 'bob/project', worker: 'w1', taskId: 't1' }
  const acquire = async (): Promise<VmDescriptor> =>
    await vi.waitFor(async () => await client.acquireVm(work), PATIENCE)
  const inPool = async (): Promise<string[]> => (await client.getAllVm()).map(({ vmName }) => vmName)

  const first = await acquire()
  expect(first).toMatchObject({ state: 'in_use', vmIp: '127.0.0.1', taskId: 't1' })
  expect(await cloud.machines()).toContain(first.vmName)
  const second = await acquire()
  expect((await inPool()).sort()).toEqual([first.vmName, second.vmName].sort())
  await expect(client.acquireVm(work)).rejects.toThrow(NoVmAvailable)

  const server = cluster.get('mainstay')
  await server.kill()
  expect(await client.releaseVm(second.vmName)).toBe(true)
  // Nobody works on it now: the request must be made again by the next server.
  const started = await redis.connection.ask(['HGET', 'copr:backend:server_info:hset::', 'server_start_timestamp'])
  await server.start()
  await vi.waitFor(async () => {
    const marked = await redis.connection.ask(['HGET', 'copr:backend:server_info:hset::', 'server_start_timestamp'])
    expect(Number(marked)).toBeGreaterThan(Number(started))
  }, PATIENCE)
  expect((await client.getVmByName(first.vmName)).toDict()).toMatchObject({ state: 'in_use', used_by_worker: 'w1' })
  expect((await acquire()).vmName).toBe(second.vmName)

  await client.startVmTermination(first.vmName)
  await vi.waitFor(async () => expect(await inPool()).not.toContain(first.vmName), PATIENCE)
  expect(await cloud.machines()).not.toContain(first.vmName)
  const third = await acquire()
  expect([first.vmName, second.vmName]).not.toContain(third.vmName)
  await vi.waitFor(async () => expect(await cloud.machines()).toEqual(await inPool()), PATIENCE)
  expect(await cloud.machines()).toHaveLength(2)
  await server.stop()
})
