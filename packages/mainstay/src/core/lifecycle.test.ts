import { expect, test } from 'vitest'

import { ManualClock } from './clock.ts'
import { Lifecycle } from './lifecycle.ts'
import { silentLogger } from './logging.ts'

function begin(): { lifecycle: Lifecycle; clock: ManualClock; stopped: string[] } {
  const clock = new ManualClock()
  return { lifecycle: new Lifecycle({ clock, logger: silentLogger() }), clock, stopped: [] }
}

test('stops what was started, last first, each before the next', async () => {
  const { lifecycle, clock, stopped } = begin()
  for (const name of ['store', 'journal', 'server']) {
    lifecycle.started(name, async () => {
      stopped.push(`${name} stopping`)
      await clock.sleep(10)
      stopped.push(`${name} stopped`)
    })
  }
  const done = lifecycle.stop({ timeoutMs: 1000 })
  await clock.advance(30)
  await done
  expect(stopped).toEqual([
    'server stopping',
    'server stopped',
    'journal stopping',
    'journal stopped',
    'store stopping',
    'store stopped',
  ])
})

test('stops the others when one fails, and reports all that failed', async () => {
  const { lifecycle, stopped } = begin()
  lifecycle.started('store', async () => void stopped.push('store'))
  lifecycle.started('journal', async () => Promise.reject(new Error('still busy')))
  lifecycle.started('server', () => {
    throw new Error('socket gone')
  })
  await expect(lifecycle.stop({ timeoutMs: 1000 })).rejects.toThrow('server: socket gone; journal: still busy')
  expect(stopped).toEqual(['store'])
})

test('gives a part that hangs only what is left of the time, and still a moment to those after it', async () => {
  const { lifecycle, clock, stopped } = begin()
  lifecycle.started('store', async () => {
    await clock.sleep(50)
    stopped.push('store')
  })
  lifecycle.started('stuck', async () => new Promise<never>(() => {}))
  const stopping = lifecycle.stop({ timeoutMs: 1000 })
  await Promise.all([
    expect(stopping).rejects.toThrow(/^stuck: Stopping stuck took longer/),
    clock.advance(1000).then(() => {
      expect(stopped).toEqual([])
      return clock.advance(50)
    }),
  ])
  expect(stopped).toEqual(['store'])
})

test('stops everything once, however often it is asked', async () => {
  const { lifecycle, stopped } = begin()
  lifecycle.started('store', async () => void stopped.push('store'))
  await Promise.all([lifecycle.stop({ timeoutMs: 1000 }), lifecycle.stop({ timeoutMs: 1000 })])
  expect(stopped).toEqual(['store'])
})
