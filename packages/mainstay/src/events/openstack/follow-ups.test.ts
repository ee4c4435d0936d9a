import { describe, expect, test } from 'vitest'

import { LogLines } from '../compat/testing/log-lines.ts'
import { FollowUps } from './follow-ups.ts'

describe('what follows does not hold up what comes', () => {
  test('it is done in order, failures do not matter, and too much is left out', async () => {
    const log = new LogLines()
    const [done, gate] = [[] as number[], Promise.withResolvers<void>()]
    let leftOut = 0
    const lane = new FollowUps({ name: 'Work', limit: 3, logger: log.logger, onDropped: () => (leftOut += 1) })
    lane.add(async () => await gate.promise)
    lane.add(async () => {
      done.push(1)
      throw new Error('boom')
    })
    lane.add(async () => void done.push(2))
    lane.add(async () => void done.push(3))
    gate.resolve()
    await lane.idle()
    lane.add(async () => void done.push(4))
    await lane.idle()
    expect([done, leftOut]).toEqual([[1, 2, 4], 1])
    expect(log.at('error')).toEqual(['Work failed: boom'])
    expect(log.at('warn')).toHaveLength(1)
    const small = new FollowUps({ name: 'Work', limitBytes: 100, logger: log.logger })
    small.add(async () => void done.push(5), 60)
    small.add(async () => expect.unreachable(), 60)
    await small.idle()
    small.add(async () => void done.push(6), 60)
    await small.idle()
    expect(done.slice(-2)).toEqual([5, 6])
    expect(log.at('warn')).toHaveLength(2)
  })
})
