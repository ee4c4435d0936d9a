import { describe, expect, test, vi } from 'vitest'

import type { CommandResult } from '../../core/child-process.ts'
import { ManualClock } from '../../core/clock.ts'
import { TimeoutError } from '../../core/errors.ts'
import { silentLogger } from '../../core/logging.ts'
import { HealthChecker, helloCommand } from './health-checker.ts'
import type { BusMessage } from './messages.ts'
import { DEFAULT_VMM_OPTIONS } from './options.ts'

const answer = (exitCode: number | null, stdout: string, stderr = ''): CommandResult => ({
  exitCode,
  stdout,
  stderr,
  killedBy: null,
})

async function checkOne(login: () => Promise<CommandResult>, publish = vi.fn(async (_message: BusMessage) => {})) {
  const dependencies = { clock: new ManualClock(), logger: silentLogger(), publish, login }
  const checker = new HealthChecker(DEFAULT_VMM_OPTIONS, dependencies)
  await checker.runCheckHealth('vm', '127.0.0.1')
  await checker.terminate()
  return publish
}

describe('the health checker (vm-pool.md A8)', () => {
  const FAILED = 'failed' as const
  test.each([
    ['success', async () => answer(0, 'hello\n'), 'OK', /^$/],
    ['other output', async () => answer(0, 'hello there\n'), FAILED, /unexpected output .*: hello there/],
    ['no newline', async () => answer(0, 'hello'), FAILED, /unexpected output/],
    ['a failing command', async () => answer(1, 'hello\n'), FAILED, /unexpected output \(status 1\)/],
    [
      'no connection',
      async () => answer(255, '', 'No route to host\n'),
      FAILED,
      /^connection error: No route to host$/,
    ],
    [
      'no answer',
      async () => Promise.reject(new TimeoutError('ssh', 5000)),
      FAILED,
      /^connection error: ssh took longer/,
    ],
  ] as const)('B-67 %s: one message', async (_, login, result, msg) => {
    const publish = await checkOne(login)
    expect(publish.mock.calls).toEqual([
      [{ topic: 'health_check', vm_ip: '127.0.0.1', vm_name: 'vm', result, msg: expect.stringMatching(msg) }],
    ])
  })

  test('B-67 that it cannot be told is nobody else’s trouble', async () => {
    const publish = vi.fn(async () => Promise.reject(new Error('Redis is away')))
    await checkOne(async () => answer(0, 'hello\n'), publish)
    expect(publish).toHaveBeenCalledTimes(1)
  })

  test('logs in without asking anybody, by the configuration that is given', () => {
    const options = { ...DEFAULT_VMM_OPTIONS, sshConfig: '/etc/ssh/builders', buildUser: 'mock' }
    const command = helloCommand(options, '::1')
    expect(command.slice(0, 3)).toEqual(['ssh', '-F', '/etc/ssh/builders'])
    expect(command.slice(-3)).toEqual(['--', 'mock@::1', 'echo hello'])
    expect(command).toEqual(expect.arrayContaining(['BatchMode=yes', 'ConnectTimeout=5']))
  })
})
