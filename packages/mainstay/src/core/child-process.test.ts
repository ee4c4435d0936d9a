import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { describe, expect, test, vi } from 'vitest'

import { CommandFailedError, CommandNotFoundError, runCommand, signalGroup } from './child-process.ts'
import { errorCode, TimeoutError } from './errors.ts'

/** Whether a process exists and is more than a corpse that nobody has collected. */
async function isAlive(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0)
  } catch (error) {
    if (errorCode(error) === 'ESRCH') return false
    throw error
  }
  const { stdout } = await runCommand(['ps', '-o', 'stat=', '-p', String(pid)], { timeoutMs: 5000 })
  return stdout.trim() !== '' && !stdout.startsWith('Z')
}

async function expectGone(pid: number): Promise<void> {
  await expect.poll(() => isAlive(pid), { timeout: 5000 }).toBe(false)
}

// These wait for programs of the machine, which may be busy.
vi.setConfig({ testTimeout: 30_000 })

async function scratch(): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'mainstay-child-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) }
}

async function readPids(file: string): Promise<number[]> {
  return (await readFile(file, 'utf8')).trim().split('\n').map(Number)
}

describe('a program that ends (DL-5)', () => {
  test('gives back its code and both outputs, apart', async () => {
    const result = await runCommand(['sh', '-c', 'echo out; echo err >&2; exit 7'], { timeoutMs: 5000 })
    expect(result).toEqual({ exitCode: 7, killedBy: null, stdout: 'out\n', stderr: 'err\n' })
  })

  test('gets its arguments as they are, without a shell', async () => {
    const { stdout } = await runCommand(['printf', '%s|', '$(id)', 'a b', ';x', '*'], { timeoutMs: 5000 })
    expect(stdout).toBe('$(id)|a b|;x|*|')
  })

  test('runs in the C locale, also when asked otherwise, with the environment given', async () => {
    const { stdout } = await runCommand(['sh', '-c', 'echo $LC_ALL $COLOUR; pwd'], {
      timeoutMs: 5000,
      env: { LC_ALL: 'de_DE.UTF-8', COLOUR: 'blue' },
      cwd: '/',
    })
    expect(stdout).toBe('C blue\n/\n')
  })

  test('finds its input closed unless some is given', async () => {
    expect((await runCommand(['cat'], { timeoutMs: 5000 })).stdout).toBe('')
    expect((await runCommand(['cat'], { timeoutMs: 5000, input: 'grüße' })).stdout).toBe('grüße')
  })

  test('may leave its input unread', async () => {
    const { exitCode } = await runCommand(['true'], { timeoutMs: 5000, input: 'x'.repeat(1_000_000) })
    expect(exitCode).toBe(0)
  })

  test('shows which signal killed it', async () => {
    const { exitCode, killedBy } = await runCommand(['sh', '-c', 'kill -TERM $$'], { timeoutMs: 5000 })
    expect({ exitCode, killedBy }).toEqual({ exitCode: null, killedBy: 'SIGTERM' })
  })
})

describe('a program that does not end', () => {
  test('is killed after its time, with its children and their children', async () => {
    await using directory = await scratch()
    const file = join(directory.path, 'pids')
    const script = `sleep 300 & echo $! >>${file}; sh -c 'sleep 300 & echo $! >>${file}; wait' & wait`
    await expect(runCommand(['sh', '-c', script], { timeoutMs: 3000 })).rejects.toBeInstanceOf(TimeoutError)
    const pids = await readPids(file)
    expect(pids).toHaveLength(2)
    for (const pid of pids) await expectGone(pid)
  })

  test('is reported by name alone: its arguments may hold secrets', async () => {
    const running = runCommand(['sleep', '300', '300'], { timeoutMs: 50 })
    await expect(running).rejects.toThrow('The program sleep took longer than 50 ms and was given up.')
  })

  test('does not hold us up when a child has left the group and keeps the output open', async () => {
    await using directory = await scratch()
    const file = join(directory.path, 'pids')
    const running = runCommand(['sh', '-c', `setsid sleep 300 & echo $! >>${file}`], { timeoutMs: 2000 })
    await expect(running).rejects.toBeInstanceOf(TimeoutError)
    const [pid] = await readPids(file)
    expect(await isAlive(pid!)).toBe(true)
    process.kill(pid!, 'SIGKILL')
    await expectGone(pid!)
  })

  test('ends with the reason of the signal', async () => {
    const controller = new AbortController()
    const running = runCommand(['sleep', '300'], { timeoutMs: 60_000, signal: controller.signal })
    const reason = new Error('enough')
    controller.abort(reason)
    await expect(running).rejects.toBe(reason)
  })

  test('is not started when the signal is aborted already', async () => {
    const signal = AbortSignal.abort(new Error('not now'))
    await expect(runCommand(['true'], { timeoutMs: 1000, signal })).rejects.toThrow('not now')
  })
})

describe('a program that prints without end', () => {
  test.each([
    ['stdout', 1],
    ['stderr', 2],
  ])('on %s is killed at the limit', async (_stream, fd) => {
    const running = runCommand(['sh', '-c', `yes >&${fd}`], { timeoutMs: 60_000, maxOutputBytes: 1_000_000 })
    await expect(running).rejects.toThrow(CommandFailedError)
    await expect(running).rejects.toThrow(/printed more than 1000000 bytes/)
  })

  test('may print exactly as much as is allowed', async () => {
    const { stdout } = await runCommand(['printf', 'x'.repeat(1000)], { timeoutMs: 5000, maxOutputBytes: 1000 })
    expect(stdout).toHaveLength(1000)
  })
})

describe('a program that cannot be started', () => {
  test('is missing', async () => {
    const running = runCommand(['no-such-program-of-ours'], { timeoutMs: 1000 })
    await expect(running).rejects.toThrow(CommandNotFoundError)
    await expect(running).rejects.toThrow('The program no-such-program-of-ours is not installed or not on PATH.')
  })

  test.each<[string, [string, ...string[]], object, RegExp]>([
    [
      'in a directory that does not exist',
      ['true'],
      { cwd: '/no/such/directory' },
      /no directory \/no\/such\/directory/,
    ],
    ['that is a directory', ['/'], {}, /EACCES/],
    ['with an argument that no program can take', ['true', 'a\0b'], {}, /could not be started/],
    ['with more arguments than the system takes', ['true', 'x'.repeat(3_000_000)], {}, /E2BIG/],
  ])('%s', async (_what, argv, options, said) => {
    const running = runCommand(argv, { timeoutMs: 1000, ...options })
    await expect(running).rejects.toThrow(CommandFailedError)
    await expect(running).rejects.toThrow(said)
  })
})

test('signalling a group that is gone is no error', () => {
  expect(signalGroup(undefined, 'SIGKILL')).toBe(false)
  expect(signalGroup(2 ** 22 + 1, 'SIGKILL')).toBe(false)
})
