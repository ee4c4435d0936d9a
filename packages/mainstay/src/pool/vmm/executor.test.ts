import { describe, expect, test, vi } from 'vitest'

import { ManualClock } from '../../core/clock.ts'
import { silentLogger } from '../../core/logging.ts'
import { Executor } from './executor.ts'
import { TaskJob, type Job } from './job.ts'

const PERIOD_S = 60

/** A job that ends when it is told to; looks are counted. */
class FakeJob implements Job {
  looks = 0
  ended = false
  readonly stop = vi.fn(() => {
    this.ended = true
  })
  readonly join = vi.fn(async () => {})

  get alive(): boolean {
    this.looks += 1
    return !this.ended
  }
}

function newExecutor() {
  const clock = new ManualClock()
  const jobs = [new FakeJob(), new FakeJob()]
  const left = [...jobs]
  const executor = new Executor(
    { clock, logger: silentLogger(), startJob: () => left.shift()! },
    { recyclePeriod: PERIOD_S },
  )
  for (const _ of jobs) executor.runDetached(async () => {})
  const [dead, live] = jobs as [FakeJob, FakeJob]
  dead.ended = true
  return { clock, executor, dead, live }
}

describe('the executor (vm-pool.md A8)', () => {
  test('B-60 clears away dead jobs after the period and keeps live ones', async () => {
    const { clock, executor, dead, live } = newExecutor()
    await clock.advance(66_000)
    await executor.recycle()
    expect([dead, live].map(({ join }) => join.mock.calls.length)).toEqual([1, 0])
    expect(await executor.childrenNumber()).toBe(1)
  })

  test.each([
    [59_999, false, 0],
    [60_000, false, 1],
    [0, true, 1],
  ])('B-60 after %d ms, forced %s, jobs are looked at %d times', async (elapsedMs, force, looks) => {
    const { clock, executor, live } = newExecutor()
    await clock.advance(elapsedMs)
    await executor.recycle(force)
    await executor.recycle()
    expect(live.looks).toBe(looks)
  })

  test('B-61 stops and joins all', async () => {
    const { executor, dead, live } = newExecutor()
    await executor.terminate()
    for (const { stop } of [dead, live]) expect(stop).toHaveBeenCalledTimes(1)
    for (const { join } of [dead, live]) expect(join).toHaveBeenCalled()
    expect(await executor.childrenNumber()).toBe(0)
  })

  test('B-62 clears away before it counts', async () => {
    const { clock, executor } = newExecutor()
    expect(await executor.childrenNumber()).toBe(2)
    await clock.advance(60_000)
    expect(await executor.childrenNumber()).toBe(1)
  })
})

describe('a job in this process', () => {
  test('is told to stop by its signal, and its failure is told once it has ended', async () => {
    const onError = vi.fn<(error: unknown) => void>()
    const job = new TaskJob(async (signal) => {
      await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)))
    }, onError)
    expect(job.alive).toBe(true)
    job.stop()
    await job.join()
    expect(job.alive).toBe(false)
    expect(onError).toHaveBeenCalledTimes(1)
  })

  test('that throws before its first wait ends as any other', async () => {
    const onError = vi.fn<(error: unknown) => void>()
    const job = new TaskJob(() => {
      throw new Error('at once')
    }, onError)
    await job.join()
    expect(onError).toHaveBeenCalledTimes(1)
  })
})
