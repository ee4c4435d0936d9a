import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { describe, expect, onTestFinished, test, vi } from 'vitest'

import { ManualClock } from '../../core/clock.ts'
import { TimeoutError } from '../../core/errors.ts'
import { silentLogger } from '../../core/logging.ts'
import { failed, PASSED, type HealthCheck } from '../check/check.ts'
import { sshCommand } from '../check/ssh-check.ts'
import { HealthChecker, loginOptions } from './health-checker.ts'
import type { BusMessage } from './messages.ts'
import { DEFAULT_VMM_OPTIONS, type VmmOptions } from './options.ts'

function newChecker(check?: HealthCheck, options: VmmOptions = DEFAULT_VMM_OPTIONS) {
  const clock = new ManualClock()
  const publish = vi.fn(async (_message: BusMessage) => {})
  const checker = new HealthChecker(options, { clock, logger: silentLogger(), publish, check })
  return { checker, publish, clock }
}

const told = (result: 'OK' | 'failed', msg: RegExp) => [
  [{ topic: 'health_check', vm_ip: '127.0.0.1', vm_name: 'vm', result, msg: expect.stringMatching(msg) as string }],
]

describe('the health checker (vm-pool.md A8)', () => {
  test.each([
    ['success', async () => PASSED, 'OK', /^$/],
    ['wrong output', async () => failed('unexpected output: hi'), 'failed', /^unexpected output: hi$/],
    [
      'connection error',
      async () => Promise.reject(new TimeoutError('ssh', 5)),
      'failed',
      /^connection error: ssh took/,
    ],
  ] satisfies [string, HealthCheck, 'OK' | 'failed', RegExp][])(
    'B-67 %s: one message',
    async (_, check, result, msg) => {
      const { checker, publish } = newChecker(check)
      await checker.runCheckHealth('vm', '127.0.0.1')
      await vi.waitFor(() => expect(publish.mock.calls).toEqual(told(result, msg)), { timeout: 30_000 })
      await checker.terminate()
      expect(publish).toHaveBeenCalledTimes(1)
    },
  )

  test('B-67 that it cannot be told is nobody else’s trouble', async () => {
    const { checker, publish } = newChecker(async () => PASSED)
    publish.mockRejectedValue(new Error('Redis is away'))
    await checker.runCheckHealth('vm', '127.0.0.1')
    await vi.waitFor(() => expect(publish).toHaveBeenCalledTimes(1), { timeout: 30_000 })
    await checker.terminate()
  })

  test('a machine that does not answer has failed once the time for login and answer is over', async () => {
    const { checker, publish, clock } = newChecker(async () => await new Promise(() => {}))
    await checker.runCheckHealth('vm', '127.0.0.1')
    await clock.advance(9_999)
    expect(publish).not.toHaveBeenCalled()
    await clock.advance(1)
    expect(publish.mock.calls).toEqual(told('failed', /^connection error: .* took longer than 10000 ms/))
    await checker.terminate()
  })

  test.each([
    ['echo hello', 'OK', /^$/],
    ['echo hello there', 'failed', /^unexpected output: hello there$/],
    ['echo No route to host >&2; exit 255', 'failed', /^connection error: No route to host$/],
  ] as const)('B-67 with a program that does "%s" in the place of ssh', async (text, result, msg) => {
    const directory = await mkdtemp(join(tmpdir(), 'mainstay-ssh-'))
    onTestFinished(async () => await rm(directory, { recursive: true, force: true }))
    const sshProgram = join(directory, 'ssh')
    await writeFile(sshProgram, `#!/bin/sh\n${text}\n`)
    await chmod(sshProgram, 0o755)
    const { checker, publish } = newChecker(undefined, { ...DEFAULT_VMM_OPTIONS, sshProgram })
    await checker.runCheckHealth('vm', '127.0.0.1')
    await vi.waitFor(() => expect(publish.mock.calls).toEqual(told(result, msg)), { timeout: 30_000 })
    await checker.terminate()
  })

  test('logs in without asking anybody, by the configuration and the limit that are given', () => {
    const given = { sshConfig: '/etc/ssh/builders', buildUser: 'mock', vmSshCheckTimeout: 7 }
    const command = sshCommand(loginOptions({ ...DEFAULT_VMM_OPTIONS, ...given }), '::1')
    expect(command.slice(0, 3)).toEqual(['ssh', '-F', '/etc/ssh/builders'])
    expect(command.slice(-5)).toEqual(['-l', 'mock', '--', '::1', 'echo hello'])
    expect(command).toEqual(expect.arrayContaining(['BatchMode=yes', 'ConnectTimeout=7']))
    expect(command).not.toContain('-p')
  })
})
