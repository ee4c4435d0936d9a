import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { describe, expect, test, vi } from 'vitest'

import { runCommand } from '../../../core/child-process.ts'

// These wait for programs of the machine, which may be busy.
vi.setConfig({ testTimeout: 60_000 })

const PATIENCE = { timeout: 40_000, interval: 50 }

/** The state letter of a process; empty when it is gone. */
async function stateOf(pid: number): Promise<string> {
  const { stdout } = await runCommand(['ps', '-o', 'stat=', '-p', String(pid)], { timeoutMs: 30_000 })
  return stdout.trim().startsWith('Z') ? '' : stdout.trim()
}

/** A process that runs hooks, which write the numbers of their processes into a file. */
class Master implements AsyncDisposable {
  readonly directory: string
  readonly #process: ChildProcess
  readonly #pids: number[] = []

  private constructor(directory: string) {
    this.directory = directory
    const script = join(import.meta.dirname, 'testing', 'hook-master.ts')
    this.#process = spawn(process.execPath, [script], { stdio: ['pipe', 'ignore', 'inherit'] })
  }

  static async start(): Promise<Master> {
    return new Master(await mkdtemp(join(tmpdir(), 'mainstay-dead-master-')))
  }

  /** Runs a hook and waits until `count` lines are written to `$F`. @returns the numbers in them */
  async hook(script: string, count: number): Promise<number[]> {
    const file = join(this.directory, `pids-${this.#pids.length}`)
    await writeFile(file, '')
    this.#process.stdin!.write(`F=${file}; ${script}\n`)
    const read = async (): Promise<number[]> => (await readFile(file, 'utf8')).split('\n').filter(Boolean).map(Number)
    await vi.waitUntil(async () => (await read()).length === count, PATIENCE)
    const pids = await read()
    this.#pids.push(...pids)
    return pids
  }

  /** What is beside this process to end its hooks. */
  async keeper(): Promise<number> {
    const list = ['ps', '-o', 'pid=,args=', '--ppid', String(this.#process.pid)] as const
    const { stdout } = await runCommand(list, { timeoutMs: 30_000 })
    const line = stdout.split('\n').find((each) => each.includes('hook-keeper'))
    return Number.parseInt(line ?? '', 10)
  }

  kill(): void {
    this.#process.kill('SIGKILL')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill()
    for (const pid of this.#pids) if ((await stateOf(pid)) !== '') process.kill(pid, 'SIGKILL')
    await rm(this.directory, { recursive: true })
  }
}

async function expectGone(pids: readonly number[]): Promise<void> {
  for (const pid of pids) await expect.poll(async () => await stateOf(pid), PATIENCE).toBe('')
}

describe('C9 the hooks of a master that got kill -9', () => {
  test('C9 end with it, with their children and with what became a daemon in their group', async () => {
    await using master = await Master.start()
    const daemon = `(sh -c 'trap "" HUP; echo $$ >>'$F'; exec sleep 600' >/dev/null 2>&1 </dev/null &)`
    const pids = await master.hook(`${daemon}; sleep 600 & echo $! >>$F; echo $$ >>$F; wait`, 3)
    for (const pid of pids) expect(await stateOf(pid)).not.toBe('')
    master.kill()
    await expectGone(pids)
  })

  test('C9 may clean up first, and are killed when they do not end', async () => {
    await using master = await Master.start()
    // What it prints leads nowhere by then, and would end it.
    const tidy = `exec >/dev/null 2>&1; trap 'echo 0 >>$F; exit' TERM; echo $$ >>$F; while :; do sleep 0.1; done`
    const stubborn = `trap '' TERM; echo $$ >>$F; while :; do sleep 0.1; done`
    const pids = [...(await master.hook(tidy, 1)), ...(await master.hook(stubborn, 1))]
    master.kill()
    await expectGone(pids)
    expect(await readFile(join(master.directory, 'pids-0'), 'utf8')).toBe(`${pids[0]}\n0\n`)
  })

  test('C9 leave alone what left their group on purpose: it may be a machine that runs', async () => {
    await using master = await Master.start()
    const script = `setsid sh -c 'echo $$ >>'$F'; exec sleep 600' & echo $$ >>$F; wait`
    const pids = await master.hook(script, 2)
    const left: number[] = []
    for (const pid of pids) {
      const { stdout } = await runCommand(['ps', '-o', 'args=', '-p', String(pid)], { timeoutMs: 30_000 })
      if (stdout.startsWith('sleep 600')) left.push(pid)
    }
    expect(left).toHaveLength(1)
    master.kill()
    await expectGone(pids.filter((pid) => !left.includes(pid)))
    expect(await stateOf(left[0]!)).not.toBe('')
  })

  test('C9 end with it although what watches them was killed before: the next hook starts another', async () => {
    await using master = await Master.start()
    const first = await master.hook('echo $$ >>$F; sleep 600', 1)
    const keeper = await master.keeper()
    process.kill(keeper, 'SIGKILL')
    await expectGone([keeper])
    const second = await master.hook('echo $$ >>$F; sleep 600', 1)
    expect(await master.keeper()).not.toBe(keeper)
    master.kill()
    await expectGone([...first, ...second])
  })
})
