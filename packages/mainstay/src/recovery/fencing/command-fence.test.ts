import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { SystemClock } from '../../core/clock.ts'
import { CommandFence, type CommandFenceOptions } from './command-fence.ts'

const clock = new SystemClock()
const PATIENCE_MS = 20_000

let directory: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mainstay-fence-'))
})

afterEach(async () => {
  await rm(directory, { recursive: true })
})

/** Writes a shell script whose `$1` is the host and `$dir` its own directory. */
async function script(name: string, body: string): Promise<[string, string, string]> {
  const path = join(directory, name)
  await writeFile(path, `dir=${directory}\n${body}\n`)
  return ['sh', path, '{host}']
}

async function fence(off: string, verify: string, changes: Partial<CommandFenceOptions> = {}): Promise<CommandFence> {
  const options = { off: await script('off', off), verify: await script('verify', verify), expect: 'power is off' }
  return new CommandFence({ ...options, timeoutMs: PATIENCE_MS, ...changes }, clock)
}

async function cutOff(fence: CommandFence, signal = AbortSignal.timeout(PATIENCE_MS)): Promise<readonly unknown[]> {
  return await fence.cutOff('host-7', { signal })
}

describe('a fence of two commands (goals, principle 1)', () => {
  test('acts, then looks twice, and the evidence is what it saw', async () => {
    const both = await fence('echo "off $1" >> $dir/log', 'echo "verify $1" >> $dir/log; echo "power is off"')
    const before = clock.now()
    const evidence = await cutOff(both)
    const seen = { source: `sh ${join(directory, 'verify')} host-7`, saw: 'power is off' }
    expect(evidence).toMatchObject([seen, seen])
    expect((evidence[0] as { at: number }).at).toBeGreaterThanOrEqual(before)
    expect(await readFile(join(directory, 'log'), 'utf8')).toBe('off host-7\nverify host-7\nverify host-7\n')
  })

  test('believes what is seen, not the exit code of the act', async () => {
    expect(await cutOff(await fence('exit 1', 'echo "status:"; echo "  power is off  "'))).toHaveLength(2)
  })

  test.each([
    ['the host is on', 'echo "power is on"', 'power is on'],
    ['the words are only part of a line', 'echo "it is not so that power is off"', 'it is not so that'],
    ['it prints nothing', 'true', 'instead of "power is off"'],
    ['it says off and ends with a failure', 'echo "power is off"; exit 3', 'exit 3'],
    [
      'the second look differs',
      'echo x >> $dir/n; [ $(wc -l < $dir/n) = 1 ] && echo "power is off" || echo "power is on"',
      'power is on',
    ],
  ])('is no proof when %s', async (_what, verify, text) => {
    await expect(cutOff(await fence('true', verify))).rejects.toMatchObject({
      code: 'MS_FENCE_FAILED',
      message: expect.stringContaining(text),
    })
  })

  test('says which program is missing', async () => {
    const missing = await fence('true', 'true', { off: ['mainstay-no-such-program', '{host}'] })
    await expect(cutOff(missing)).rejects.toMatchObject({ code: 'MS_COMMAND_NOT_FOUND' })
    const blind = await fence('true', 'true', { verify: ['mainstay-no-such-program'] })
    await expect(cutOff(blind)).rejects.toMatchObject({ code: 'MS_COMMAND_NOT_FOUND' })
  })

  test('that hangs is ended at its time-out with all its children, and nothing is proved', async () => {
    const hanging = await fence('sleep 600 & echo $! > $dir/child; wait', 'echo "power is off"', { timeoutMs: 1000 })
    await expect(cutOff(hanging)).rejects.toMatchObject({ code: 'MS_TIMEOUT' })
    const child = Number(await readFile(join(directory, 'child'), 'utf8'))
    await expect.poll(async () => await isAlive(child), { timeout: PATIENCE_MS }).toBe(false)
  })

  test('is ended when the recovery is', async () => {
    const stop = new AbortController()
    const hanging = await fence('echo > $dir/began; sleep 600', 'echo "power is off"')
    const outcome = cutOff(hanging, stop.signal).catch((error: unknown) => error)
    const began = async (): Promise<boolean> =>
      await readFile(join(directory, 'began')).then(
        () => true,
        () => false,
      )
    await expect.poll(began, { timeout: PATIENCE_MS }).toBe(true)
    const reason = new Error('enough')
    stop.abort(reason)
    expect(await outcome).toBe(reason)
  })

  test('passes the name of the host on as it is: no shell reads it', async () => {
    const both = await fence('true', 'echo "$1" > $dir/name; echo "power is off"')
    const name = 'a; echo b $(c) "d" {host}'
    await both.cutOff(name, { signal: AbortSignal.timeout(PATIENCE_MS) })
    expect(await readFile(join(directory, 'name'), 'utf8')).toBe(`${name}\n`)
  })
})

/** Whether a process runs; one that ended and was not collected yet does not. */
async function isAlive(pid: number): Promise<boolean> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
    return !/\) Z /.test(stat)
  } catch {
    // Its entry is gone, and so is the process.
    return false
  }
}
