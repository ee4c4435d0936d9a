import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { expect, onTestFinished, test } from 'vitest'

import { InvalidInputError } from '../../core/errors.ts'
import { loadConfig } from './load.ts'

async function toml(text: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'mainstay-config-'))
  onTestFinished(async () => await rm(directory, { recursive: true, force: true }))
  const file = join(directory, 'mainstay.toml')
  await writeFile(file, text)
  return file
}

test('without anything said every option has its default', async () => {
  const config = await loadConfig({})
  expect(config.server.listen).toBe('127.0.0.1:15868')
  expect(config.compute).toMatchObject({ driver: 'simulated', libvirt_hosts: [] })
})

test('the command line wins over the environment, and that over the file', async () => {
  const file = await toml('[recovery]\nattempts = 3\npoll_ms = 30\nretry_after_ms = 7\n')
  const env = { MAINSTAY__RECOVERY__ATTEMPTS: '4', MAINSTAY__RECOVERY__POLL_MS: '40' }
  const { recovery } = await loadConfig({ file, env, set: ['recovery.attempts=5'] })
  expect(recovery).toMatchObject({ attempts: 5, poll_ms: 40, retry_after_ms: 7 })
})

test.each([
  ['recovery.attemps=3', 'There is no option recovery.attemps. Did you mean recovery.attempts?'],
  ['recovry.attempts=3', 'There is no option recovry. Did you mean recovery?'],
  ['zzz.yyy=3', 'There is no option zzz. docs/reference'],
  ['recovery.attempts=many', 'The option recovery.attempts is wrong: must be integer.'],
  ['recovery.fence_validity_ms=999', 'The option recovery.fence_validity_ms is wrong: must be >= 1000.'],
  ['compute.driver=xen', 'The option compute.driver must be one of simulated, libvirt'],
  ['compute.libvirt_hosts=[{name="a"}]', 'The option compute.libvirt_hosts.0 is wrong: must have required'],
  [
    'compute.libvirt_hosts=[{name="a",sockett="/s"}]',
    'There is no option compute.libvirt_hosts.0.sockett. Did you mean compute.libvirt_hosts.0.socket?',
  ],
])('--set %s is answered with "%s"', async (assignment, text) => {
  const error: unknown = await loadConfig({ set: [assignment] }).catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(InvalidInputError)
  expect((error as InvalidInputError).message).toContain(text)
})

test('an option of a file is named with the file', async () => {
  const file = await toml('[recovery]\nattemps = 3\n')
  await expect(loadConfig({ file })).rejects.toThrow(`(Looked for in ${file} and on the command line.)`)
})

test('a pool that works as the reference did has the defaults of the reference', async () => {
  const { pool, vmm } = await loadConfig({ set: ['pool.compat=vmm', 'vmm.groups=[{spawn_playbook="/spawn.yml"}]'] })
  expect(pool.compat).toBe('vmm')
  expect(vmm).toMatchObject({ redis_prefix: 'mainstay:vmpool:', vm_cycle_timeout: 10, vm_ssh_check_timeout: 5 })
  expect(vmm.groups).toEqual([
    {
      name: 'PC',
      archs: ['i386', 'x86_64'],
      spawn_playbook: '/spawn.yml',
      max_vm_total: 8,
      max_vm_per_user: 4,
      max_spawn_processes: 2,
      vm_spawn_min_interval: 30,
      vm_dirty_terminating_timeout: 120,
      vm_health_check_period: 120,
      vm_health_check_max_time: 300,
      vm_max_check_fails: 2,
      vm_terminating_timeout: 600,
    },
  ])
})

test.each([
  ['vmm.groups=[{archs=["x","x"]}]', 'The option vmm.groups.0.archs is wrong: must not have duplicate items'],
  [
    'vmm.groups=[{max_vm_totla=3}]',
    'There is no option vmm.groups.0.max_vm_totla. Did you mean vmm.groups.0.max_vm_total?',
  ],
  ['vmm.groups=[{max_vm_total=0}]', 'The option vmm.groups.0.max_vm_total is wrong: must be >= 1'],
  ['vmm.groups=[{max_vm_total=1.5}]', 'The option vmm.groups.0.max_vm_total is wrong: must be integer'],
  ['vmm.groups=[{vm_spawn_min_interval=-1}]', 'The option vmm.groups.0.vm_spawn_min_interval is wrong: must be >= 1'],
  ['vmm.groups=[{playbook_timeout="soon"}]', 'The option vmm.groups.0.playbook_timeout is wrong: must be integer'],
  ['vmm.vm_cycle_timeot=3', 'There is no option vmm.vm_cycle_timeot. Did you mean vmm.vm_cycle_timeout?'],
  ['pool.compat=vm', 'The option pool.compat must be one of none, vmm.'],
])('--set %s is answered with "%s" (vm-pool.md A7)', async (assignment, text) => {
  await expect(loadConfig({ set: [assignment] })).rejects.toThrow(text)
})
