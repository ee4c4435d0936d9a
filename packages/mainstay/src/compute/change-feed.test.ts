import { PassThrough } from 'node:stream'

import { expect, test } from 'vitest'

import { createLogger, silentLogger } from '../core/logging.ts'
import { ChangeFeed } from './change-feed.ts'
import type { ComputeChange } from './compute.ts'

const HOST: ComputeChange = { host: 'h', instance: null }
const GUEST: ComputeChange = { host: 'h', instance: 'g' }
const OTHER: ComputeChange = { host: 'h', instance: 'o' }

test('tells everything to who wants all, and of one guest to who wants one', () => {
  const feed = new ChangeFeed(silentLogger())
  const all: ComputeChange[] = []
  const one: ComputeChange[] = []
  const watching = feed.watch((change) => all.push(change))
  const watchingOne = feed.watchInstance('g', (change) => one.push(change))
  for (const change of [HOST, GUEST, OTHER]) feed.tell(change)
  watching[Symbol.dispose]()
  watchingOne[Symbol.dispose]()
  feed.tell(GUEST)
  expect(all).toEqual([HOST, GUEST, OTHER])
  expect(one).toEqual([GUEST])
})

test('tells the same function as often as it listens', () => {
  const feed = new ChangeFeed(silentLogger())
  let heard = 0
  const listener = (): void => void (heard += 1)
  feed.watch(listener)
  feed.watch(listener)[Symbol.dispose]()
  feed.tell(HOST)
  expect(heard).toBe(1)
})

test('tells the others when one listener throws, and logs it', () => {
  const lines = new PassThrough()
  const feed = new ChangeFeed(createLogger({ destination: lines, format: 'json' }))
  let heard = 0
  feed.watch(() => {
    throw new RangeError('deaf')
  })
  feed.watch(() => void (heard += 1))
  feed.tell(GUEST)
  expect(heard).toBe(1)
  expect(String(lines.read())).toContain('deaf')
})
