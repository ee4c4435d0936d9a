import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { describe, expect, onTestFinished, test, vi } from 'vitest'

import { ManualClock } from '../../core/clock.ts'
import { silentLogger } from '../../core/logging.ts'
import { SpawnFailError } from './errors.ts'
import { hookCommand, type RunVmmHook } from './hook.ts'
import type { BusMessage } from './messages.ts'
import { DEFAULT_VMM_GROUP, DEFAULT_VMM_OPTIONS, type Hook } from './options.ts'
import { Terminator } from './terminator.ts'

const EXISTING = '/bin/true'

function newTerminator(terminatePlaybook: Hook | null | undefined, runHook: RunVmmHook = async () => '') {
  const published: BusMessage[] = []
  const publish = vi.fn(async (message: BusMessage) => void published.push(message))
  const options = { ...DEFAULT_VMM_OPTIONS, groups: [{ ...DEFAULT_VMM_GROUP, terminatePlaybook }] }
  const terminator = new Terminator(options, { clock: new ManualClock(), logger: silentLogger(), publish, runHook })
  return { terminator, publish, published }
}

async function terminateOne(terminator: Terminator): Promise<void> {
  await terminator.terminateVm('127.0.0.1', 'foobar', 0)
  await terminator.terminate()
}

describe('the terminator (vm-pool.md A8)', () => {
  test.each([
    ['an unknown group', 7, EXISTING],
    ['no hook', 0, undefined],
    ['a null hook', 0, null],
    ['a missing file', 0, '/nowhere/terminate.yml'],
  ])('B-64 %s is refused before anything starts', async (_, group, hook) => {
    const { terminator } = newTerminator(hook)
    await expect(terminator.terminateVm('127.0.0.1', 'vm', group)).rejects.toThrow(SpawnFailError)
    expect(await terminator.childrenNumber()).toBe(0)
  })

  test('B-66 the end of a machine is told of', async () => {
    const runHook = vi.fn<RunVmmHook>(async () => '')
    const { terminator, published } = newTerminator(EXISTING, runHook)
    await terminateOne(terminator)
    expect(published).toEqual([
      { topic: 'vm_terminated', vm_ip: '127.0.0.1', vm_name: 'foobar', group: 0, result: 'OK' },
    ])
    const variables = { MAINSTAY_VM_IP: '127.0.0.1', MAINSTAY_VM_NAME: 'foobar', MAINSTAY_VM_GROUP: '0' }
    expect(runHook.mock.calls[0]![1]).toMatchObject({ what: 'terminate', env: variables })
  })

  test('B-66 and so is its failure, with the reason', async () => {
    const { terminator, published } = newTerminator(EXISTING, async () =>
      Promise.reject(new SpawnFailError('status 1')),
    )
    await terminateOne(terminator)
    expect(published).toMatchObject([{ topic: 'vm_terminated', vm_name: 'foobar', result: 'failed', msg: 'status 1' }])
  })

  test('B-66 that it cannot be told is nobody else’s trouble', async () => {
    const { terminator, publish } = newTerminator(EXISTING)
    publish.mockRejectedValue(new Error('Redis is away'))
    await terminateOne(terminator)
    expect(publish).toHaveBeenCalledTimes(1)
  })
})

describe('the command of a hook (vm-pool.md A8)', () => {
  const machine = { group: 3, ip: '10.0.0.1', name: 'vm "1"' }

  test('a playbook is handed to ansible, with the machine in one argument', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'mainstay-hook-'))
    onTestFinished(async () => await rm(directory, { recursive: true, force: true }))
    const playbook = join(directory, 'terminate.yml')
    await writeFile(playbook, '')
    const ansible = ['ansible-playbook', '-v', '-c', 'ssh', playbook]
    const vars = '--extra-vars={"copr_task":{"ip":"10.0.0.1","vm_name":"vm \\"1\\""}}'
    expect(hookCommand(playbook, 'terminate', machine).command).toEqual([...ansible, vars])
    expect(hookCommand(playbook, 'spawn', { group: 3 }).command).toEqual(ansible)
  })

  test('a program gets its arguments filled in, whatever is in them', () => {
    const { command, env } = hookCommand(['/bin/echo', '--vm=${MAINSTAY_VM_NAME}', '$HOME'], 'terminate', machine)
    expect(command).toEqual(['/bin/echo', '--vm=vm "1"', '$HOME'])
    expect(env).toEqual({
      MAINSTAY_VM_NAME: 'vm "1"',
      MAINSTAY_VM_IP: '10.0.0.1',
      MAINSTAY_VM_GROUP: '3',
      MAINSTAY_VM_DATA: '{}',
    })
  })
})
