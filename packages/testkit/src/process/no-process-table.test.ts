import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, test } from 'vitest'
import { pollUntil } from '../clock.ts'
import { patientMs } from '../testing/patience.ts'
import { identityOf, isAlive, signalProcess, type ProcessIdentity } from './process-table.ts'

const fixture = fileURLToPath(new URL('../../fixtures/no-process-table.ts', import.meta.url))
const started: ProcessIdentity[] = []
afterEach(() => {
  for (const one of started.splice(0)) signalProcess(one, 'SIGKILL')
})

// Run here by a process that takes itself for one on macOS: what is left of its group is seen in our /proc.
describe('groups on systems without a process table', { timeout: 120_000 }, () => {
  test.each([
    ['a stop', 'stop'],
    ['the end of the test process without clean-up', 'exit'],
    ['the reaper', 'reap'],
    ['the reaper, although the leader has ended,', 'reap without leader'],
  ])('%s ends all of the group', async (_by, way) => {
    const child = spawn(process.execPath, [fixture, way], { stdio: ['pipe', 'pipe', 'inherit'] })
    const exited = once(child, 'exit')
    let pids: readonly number[] = []
    for await (const line of createInterface({ input: child.stdout })) {
      pids = (JSON.parse(line) as { pids: number[] }).pids
      break
    }
    const group = pids.map(identityOf)
    started.push(...group.filter(({ startTicks }) => startTicks > 0))
    expect(group.map(isAlive)).toEqual([way !== 'reap without leader', true])
    child.stdin.end('go on\n')
    expect(await exited).toEqual([0, null])
    expect(await pollUntil(() => !started.some(isAlive), { timeoutMs: patientMs })).toBe(true)
  })
})
