import { describe, expect, test } from 'vitest'
import { readinessOf } from '../server-command.ts'
import { httpServer, rejection, script, withCluster } from '../testing/fixture-server.ts'
import { patientMs } from '../testing/patience.ts'
import { intervalOf, overdueParts, timeoutOf } from './limits.ts'
import type { Readiness } from './readiness.ts'

const log = (timeoutMs?: number): Readiness => ({ log: /up/, ...(timeoutMs === undefined ? {} : { timeoutMs }) })

describe('times of conditions (testkit.md A7)', { timeout: 180_000 }, () => {
  test.each<[string, Readiness, number]>([
    ['the start’s', log(), 10_000],
    ['its own', log(15_000), 15_000],
    ['its own, though shorter', log(500), 500],
    ['of a list, that of its longest part', { all: [log(15_000), log(500)] }, 15_000],
    ['of a list, at least the start’s when a part has none', { all: [log(500), log()] }, 10_000],
    ['of a list whose parts are all short', { all: [log(500)] }, 500],
    ['the list’s own before that of its parts', { all: [log(15_000)], timeoutMs: 700 }, 700],
    ['of alternatives, that of the longest', { any: [log(20_000), { all: [log(30_000)] }] }, 30_000],
  ])('the time is %s', (_name, readiness, expected) => {
    expect(timeoutOf(readiness, 10_000)).toBe(expected)
  })

  test('a list in a spec keeps the times of its parts', () => {
    const spec = httpServer({ ready: [log(15_000), { file: '/x', intervalMs: 5 }] })
    expect(timeoutOf(readinessOf(spec), 10_000)).toBe(15_000)
    expect(intervalOf(readinessOf(spec), 50)).toBe(5)
  })

  test('a part is overdue when its own time is over, also below another list', () => {
    const readiness: Readiness = { all: [log(100), log(), { all: [log(200)] }, { any: [log(50)] }] }
    expect([99, 100, 200].map((elapsedMs) => overdueParts(readiness, elapsedMs).length)).toEqual([0, 1, 2])
  })

  test('a list of conditions may take as long as its parts say, longer than the start', async () => {
    const slow = script("setTimeout(() => console.log('up'), 700); setInterval(() => 0, 1000)", {
      ready: [{ log: /^up$/, timeoutMs: patientMs }],
    })
    await withCluster([slow], async (cluster) => {
      await expect(cluster.start('script', {}, { timeoutMs: 100 })).resolves.toBeDefined()
    })
  })

  test('a part that is not fulfilled in its own time ends the wait for the others', async () => {
    const never: Readiness[] = [{ file: '/no/such/file', timeoutMs: 100 }, { log: /^never$/ }]
    const server = script('setInterval(() => 0, 1000)', { ready: never })
    await withCluster([server], async (cluster) => {
      const error = await rejection(cluster.start('script', {}, { timeoutMs: 600_000 }))
      expect(error.message).toContain('file /no/such/file within 100 ms: /no/such/file does not exist')
    })
  })
})
