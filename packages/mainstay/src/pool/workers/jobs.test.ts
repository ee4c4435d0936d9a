import { describe, expect, test } from 'vitest'

import { ManualClock } from '../../core/clock.ts'
import { silentLogger } from '../../core/logging.ts'
import { nextTurn } from '../../core/turn.ts'
import { Jobs } from './jobs.ts'

const jobsOf = (atOnce: number): Jobs =>
  new Jobs({ what: 'Testing', atOnce, most: 10, clock: new ManualClock(), logger: silentLogger() })

const ENOUGH = new Error('enough')

describe('ending a job', () => {
  test('waits until the job has let go', async () => {
    const jobs = jobsOf(1)
    const tidied = Promise.withResolvers<void>()
    let told: unknown
    jobs.run('a', 'g', async (signal) => {
      signal.addEventListener('abort', () => void (told = signal.reason))
      await tidied.promise
    })
    await nextTurn()
    let ended = false
    const ending = jobs.end('a', ENOUGH).then(() => void (ended = true))
    await nextTurn()
    expect([told, ended, jobs.has('a')]).toEqual([ENOUGH, false, true])
    tidied.resolve()
    await ending
    expect(jobs.has('a')).toBe(false)
  })

  test('one that waits for its turn never begins, and its successor of the same name is another job', async () => {
    const jobs = jobsOf(1)
    const first = Promise.withResolvers<void>()
    const begun: string[] = []
    jobs.run('first', 'g', async () => await first.promise)
    await nextTurn()
    jobs.run('b', 'g', async () => void begun.push('never'))
    await jobs.end('b', ENOUGH)
    expect(jobs.has('b')).toBe(false)
    const hold = Promise.withResolvers<void>()
    jobs.run('b', 'g', async () => {
      begun.push('again')
      await hold.promise
    })
    first.resolve()
    await nextTurn()
    expect(begun).toEqual(['again'])
    expect(jobs.has('b'), 'the end of the first did not forget the second').toBe(true)
    hold.resolve()
    await jobs.idle()
  })

  test('ends nothing where nothing runs', async () => {
    const jobs = jobsOf(1)
    await jobs.end('nobody', ENOUGH)
    expect(jobs.names().size).toBe(0)
  })
})
