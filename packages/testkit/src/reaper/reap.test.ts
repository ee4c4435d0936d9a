import { spawn } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, describe, expect, test } from 'vitest'
import { homeDir, removeQuietly } from '../home.ts'
import { identityOf, isAlive, sendSignal, type ProcessIdentity } from '../process/process-table.ts'
import { Ledger } from './ledger.ts'
import { reap } from './reap.ts'

const work = join(homeDir('own-tests'), `reap-${process.pid}`)
mkdirSync(work, { recursive: true })
const leaders: ProcessIdentity[] = []
afterAll(() => {
  for (const left of leaders.filter(isAlive)) sendSignal(-left.pid, 'SIGKILL')
  removeQuietly(work)
})

/** A process that leads its own group and has said that it runs. */
async function leader(code: string, env: NodeJS.ProcessEnv = {}): Promise<ProcessIdentity> {
  const child = spawn('sh', ['-c', code], {
    detached: true,
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { PATH: process.env['PATH'], ...env },
  })
  child.unref()
  for await (const _line of createInterface({ input: child.stdout })) break
  const identity = identityOf(child.pid ?? 0)
  leaders.push(identity)
  return identity
}

function ledgerOf(...processes: readonly ProcessIdentity[]): Ledger {
  const ledger = new Ledger()
  for (const process of processes) ledger.note({ event: 'add', process, signal: 'SIGINT' })
  return ledger
}

// Called here and not by way of a killed test process: there the next reaper’s sweep may be what ends them.
describe('what a reaper does at the end of its test process (testkit.md A10)', { timeout: 60_000 }, () => {
  test('H-63 a process that ignores the polite signals is killed', async () => {
    const stubborn = await leader("trap '' INT TERM; echo up; while :; do sleep 1; done")
    await reap(ledgerOf(stubborn))
    expect(isAlive(stubborn)).toBe(false)
  })

  test('H-63 one that is known by its marker alone is killed too', async () => {
    const marker = `MAINSTAY_TESTKIT_RUN=reap-${process.pid}`
    const [name = '', value] = marker.split('=')
    const stray = await leader("trap '' INT TERM; echo up; while :; do sleep 1; done", { [name]: value })
    const ledger = new Ledger()
    ledger.note({ event: 'run', marker })
    await reap(ledger)
    expect(isAlive(stray)).toBe(false)
  })

  test('H-63 a paused process goes on, so that it can end in its own way', async () => {
    const farewell = join(work, 'farewell')
    // A busy machine may not give it its time at once.
    for (let tries = 10; tries > 0 && !existsSync(farewell); tries--) {
      const paused = await leader(`trap 'echo bye > ${farewell}; exit' INT; echo up; sleep 1000 & wait`)
      sendSignal(paused.pid, 'SIGSTOP')
      await reap(ledgerOf(paused))
      expect(isAlive(paused)).toBe(false)
    }
    expect(existsSync(farewell)).toBe(true)
  })

  test('H-31 a process that has taken the number of a dead one is left alone', async () => {
    const stranger = await leader('echo up; sleep 1000 & wait')
    await reap(ledgerOf({ ...stranger, startTicks: stranger.startTicks - 1 }))
    expect(isAlive(stranger)).toBe(true)
  })
})
