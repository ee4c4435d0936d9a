import { describe, expect, test } from 'vitest'
import { pollUntil } from '../clock.ts'
import { rejection } from '../testing/fixture-server.ts'
import { atMostMs, patientMs } from '../testing/patience.ts'
import { identityOf, isAlive } from './process-table.ts'
import { runProgram } from './run.ts'

describe('helper programs (testkit.md A1.2, D2)', { timeout: 180_000 }, () => {
  test('D2 the time of a program bounds what it started too', async () => {
    const startedAt = performance.now()
    // The shell waits for its child, which holds the pipe.
    const error = await rejection(runProgram(['sh', '-c', 'sleep 300 & echo $!; wait'], { timeoutMs: 200 }))
    expect(performance.now() - startedAt).toBeLessThan(atMostMs(1000))
    expect(error.message).toContain('ended with SIGKILL')
    const child = identityOf(Number(/STDOUT\n(\d+)/.exec(error.message)?.[1]))
    expect(await pollUntil(() => !isAlive(child), { timeoutMs: patientMs })).toBe(true)
  })

  test('D2 a program that left a child with its pipe has ended', async () => {
    const startedAt = performance.now()
    const { stdout, exitCode } = await runProgram(['sh', '-c', 'sleep 300 & echo $!; exit 3'], {
      expectExitCode: [3],
    })
    expect(performance.now() - startedAt).toBeLessThan(atMostMs(1000))
    expect(exitCode).toBe(3)
    process.kill(Number(stdout), 'SIGKILL')
  })

  test('all output is there when the program has ended', async () => {
    const size = 5_000_000
    const { stdout } = await runProgram([process.execPath, '-e', `process.stdout.write('x'.repeat(${size}))`])
    expect(stdout).toHaveLength(size)
  })
})
