import { describe, expect, test } from 'vitest'
import type { StopPolicy } from '../spec.ts'
import { stopTimes } from './stop-times.ts'

describe('times of a stop (testkit.md A5.3)', () => {
  test.each<[StopPolicy, [number, number, number]]>([
    [{}, [5000, 7000, 10_000]],
    [{ graceMs: 50, killAfterMs: 100 }, [50, 100, 10_000]],
    // A step that is set early pulls those before it.
    [{ killAfterMs: 700 }, [500, 700, 10_000]],
    [{ deadlineMs: 2000 }, [1000, 1400, 2400]],
    [{ deadlineMs: 5000 }, [2500, 3500, 5000]],
    // A step that is set late pushes those after it.
    [{ graceMs: 20_000 }, [20_000, 20_000, 21_000]],
    [{ killAfterMs: 30_000 }, [5000, 30_000, 31_000]],
    // What contradicts itself ends in time, and leaves the kernel a moment after SIGKILL.
    [{ graceMs: 100, killAfterMs: 200, deadlineMs: 200 }, [100, 200, 1200]],
    [{ graceMs: 9000, killAfterMs: 8000, deadlineMs: 500 }, [500, 500, 1500]],
  ])('%j', (policy, [graceMs, killAfterMs, deadlineMs]) => {
    expect(stopTimes(policy)).toEqual({ graceMs, killAfterMs, deadlineMs })
  })
})
