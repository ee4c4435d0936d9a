import { expect, test } from 'vitest'

import { ManualClock } from '../../core/clock.ts'
import { loopStarter } from './loop-task.ts'
import { LogLines } from './testing/log-lines.ts'

test('a loop that throws has ended, and is named in the log', async () => {
  const log = new LogLines()
  const task = loopStarter({ clock: new ManualClock(), logger: log.logger })('pump', async () => {
    throw new Error('boom')
  })
  expect(task.ended).toBe(false)
  await task.wait({ timeoutMs: 1000 })
  expect(task.ended).toBe(true)
  expect(log.at('error')).toEqual(['The pump failed: boom'])
})
