import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { describe, expect, test, vi } from 'vitest'

import { runCommand } from '../../../core/child-process.ts'
import { ManualClock } from '../../../core/clock.ts'
import { errorCode } from '../../../core/errors.ts'
import { HookFailedError, runHook, type HookCommand, type HookOptions, type HookOutcome } from './run-hook.ts'

// These wait for programs of the machine, which may be busy.
vi.setConfig({ testTimeout: 60_000 })

const LONG_MS = 50_000

async function run(command: HookCommand, options: Partial<HookOptions> = {}): Promise<HookOutcome> {
  const { signal } = new AbortController()
  return await runHook(command, {
    name: 'create',
    timeoutMs: LONG_MS,
    killGraceMs: LONG_MS,
    env: {},
    signal,
    ...options,
  })
}

const sh = (script: string): HookCommand => ['sh', '-c', script]

async function failureOf(running: Promise<unknown>): Promise<HookFailedError> {
  const error: unknown = await running.catch((caught: unknown) => caught)
  expect(error).toBeInstanceOf(HookFailedError)
  return error as HookFailedError
}

/** Whether a process exists and is more than a corpse that nobody has collected. */
async function isAlive(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0)
  } catch (error) {
    if (errorCode(error) === 'ESRCH') return false
    throw error
  }
  const { stdout } = await runCommand(['ps', '-o', 'stat=', '-p', String(pid)], { timeoutMs: LONG_MS })
  return stdout.trim() !== '' && !stdout.startsWith('Z')
}

async function expectGone(pids: readonly number[]): Promise<void> {
  for (const pid of pids) await expect.poll(() => isAlive(pid), { timeout: 20_000 }).toBe(false)
}

interface Scratch extends AsyncDisposable {
  /** Where scripts write the numbers of their processes. */
  readonly file: string
  pids(): Promise<number[]>
  /** Waits until that many have been written. */
  reaches(count: number): Promise<number[]>
}

async function scratch(): Promise<Scratch> {
  const directory = await mkdtemp(join(tmpdir(), 'mainstay-hook-'))
  const file = join(directory, 'pids')
  await writeFile(file, '')
  const pids = async (): Promise<number[]> => (await readFile(file, 'utf8')).split('\n').filter(Boolean).map(Number)
  return {
    file,
    pids,
    reaches: async (count) => {
      await expect.poll(async () => (await pids()).length, { timeout: 30_000 }).toBe(count)
      return await pids()
    },
    [Symbol.asyncDispose]: async () => await rm(directory, { recursive: true }),
  }
}

describe('a hook that ends', () => {
  test('gives both outputs together, and standard output alone', async () => {
    const { output, stdout } = await run(sh('echo one >&2; echo two'))
    expect(output.split('\n').sort()).toEqual(['', 'one', 'two'])
    expect(stdout).toBe('two\n')
  })

  test('gets arguments and variables as they are, without a shell', async () => {
    const { stdout } = await run(['sh', '-c', 'printf "%s|" "$MAINSTAY_VM_NAME" "$@"', 'x', '$(id)', ';a b'], {
      env: { MAINSTAY_VM_NAME: '$HOME' },
    })
    expect(stdout).toBe('$HOME|$(id)|;a b|')
  })

  test('finds its input closed', async () => {
    expect((await run(['cat'])).stdout).toBe('')
  })

  test('is told by its status when it failed, with what it printed', async () => {
    const error = await failureOf(run(sh('echo no room >&2; exit 69')))
    expect(error).toMatchObject({ why: 'status', exitCode: 69, output: 'no room\n' })
    expect(error.message).toContain('no room')
  })

  test('is told by the signal when somebody killed it', async () => {
    expect(await failureOf(run(sh('echo half; kill -KILL $$')))).toMatchObject({ why: 'signal', output: 'half\n' })
  })
})

describe('a hook that cannot be run', () => {
  test.each([
    ['a missing file', ['/no/such/hook'], 'missing'],
    ['a file that is no program', ['/etc/passwd'], 'missing'],
    ['a missing directory', ['true'], 'missing'],
    ['an argument with a zero byte', ['echo', '\0'], 'not_started'],
  ] as const)('%s', async (_what, command, why) => {
    const cwd = _what === 'a missing directory' ? '/no/such/directory' : undefined
    expect(await failureOf(run([...command] as unknown as HookCommand, { cwd }))).toMatchObject({ why })
  })
})

describe('a hostile hook', () => {
  test('that never ends is ended, with its children and theirs', async () => {
    await using place = await scratch()
    const clock = new ManualClock()
    const script = `sleep 600 & echo $! >>${place.file}; sh -c 'sleep 600 & echo $! >>${place.file}; wait' & wait`
    const running = failureOf(run(sh(script), { clock }))
    const pids = await place.reaches(2)
    await clock.advance(LONG_MS)
    expect((await running).why).toBe('timeout')
    await expectGone(pids)
  })

  test('that ignores being told to end is killed after the grace', async () => {
    await using place = await scratch()
    const clock = new ManualClock()
    const script = `trap '' TERM; echo $$ >>${place.file}; while :; do sleep 1; done`
    const running = failureOf(run(sh(script), { clock, killGraceMs: 5000 }))
    const pids = await place.reaches(1)
    await clock.advance(LONG_MS)
    expect(await isAlive(pids[0]!)).toBe(true)
    await clock.advance(5000)
    expect((await running).why).toBe('timeout')
    await expectGone(pids)
  })

  test('that is told to end may clean up first', async () => {
    await using place = await scratch()
    const clock = new ManualClock()
    const script = `trap 'echo cleaned; exit 3' TERM; echo $$ >>${place.file}; while :; do sleep 0.1; done`
    const running = failureOf(run(sh(script), { clock }))
    await place.reaches(1)
    await clock.advance(LONG_MS)
    const error = await running
    expect(error.why).toBe('timeout')
    expect(error.output).toContain('cleaned')
  })

  test('that leaves children holding its output is not waited for, and they are killed', async () => {
    await using place = await scratch()
    const { stdout } = await run(sh(`sleep 600 & echo $! >>${place.file}; echo done`))
    expect(stdout).toBe('done\n')
    await expectGone(await place.pids())
  })

  test('that leaves children with other outputs leaves nothing', async () => {
    await using place = await scratch()
    const { stdout } = await run(sh(`sleep 600 >/dev/null 2>&1 & echo $! >>${place.file}; echo done`))
    expect(stdout).toBe('done\n')
    await expectGone(await place.pids())
  })

  test('whose child leaves the group still lets us go on', async () => {
    await using place = await scratch()
    const { stdout } = await run(sh(`setsid sh -c 'echo $$ >>${place.file}; exec sleep 600' & echo done`))
    expect(stdout).toBe('done\n')
    const [pid] = await place.reaches(1)
    process.kill(pid!, 'SIGKILL')
    await expectGone([pid!])
  })

  test('that prints a gigabyte costs no memory: its beginning and its end are kept', async () => {
    const script = `echo first; head -c 1000000000 /dev/zero; echo; echo last`
    const before = process.memoryUsage().rss
    const { output, stdout } = await run(sh(script))
    expect(output.startsWith('first\n')).toBe(true)
    expect(output.endsWith('\nlast\n')).toBe(true)
    expect(output.length).toBeLessThan(66_000)
    expect(stdout.length).toBeLessThan(66_000)
    expect(process.memoryUsage().rss - before).toBeLessThan(500_000_000)
  })

  test('that answers without end is killed: a list is whole or it is an error', async () => {
    const running = run(sh('yes'), { name: 'list', wholeOutputBytes: 100_000 })
    expect(await failureOf(running)).toMatchObject({ why: 'too_much_output' })
  })

  test('that answers much is read whole', async () => {
    const { stdout } = await run(sh('head -c 300000 /dev/zero | tr "\\0" x'), { wholeOutputBytes: 300_000 })
    expect(stdout).toBe('x'.repeat(300_000))
  })

  test('is ended when we are told to stop, with the reason given', async () => {
    await using place = await scratch()
    const controller = new AbortController()
    const running = run(sh(`echo $$ >>${place.file}; sleep 600`), { signal: controller.signal })
    await place.reaches(1)
    const reason = new RangeError('shutdown')
    controller.abort(reason)
    await expect(running).rejects.toBe(reason)
    await expectGone(await place.pids())
  })
})

describe('a hook in a process namespace of its own', () => {
  test('leaves nothing behind, not even what left its group', async (context) => {
    const probe = await run(['true'], { containment: 'namespace' }).catch(() => undefined)
    if (probe === undefined) context.skip('a process namespace needs root and unshare')
    await using place = await scratch()
    const script = `setsid sh -c 'readlink /proc/self/ns/pid >>${place.file}; exec sleep 600' &
      while [ ! -s ${place.file} ]; do sleep 0.1; done; echo done`
    const { stdout } = await run(sh(script), { containment: 'namespace' })
    expect(stdout).toBe('done\n')
    const namespace = (await readFile(place.file, 'utf8')).trim()
    const alive = async () => {
      const { stdout: lines } = await runCommand(['ps', '-e', '-o', 'pidns='], { timeoutMs: LONG_MS })
      return lines.includes(/\d+/.exec(namespace)![0])
    }
    await expect.poll(alive, { timeout: 20_000 }).toBe(false)
  })
})
