import { describe, expect, test } from 'vitest'

import { TimeoutError } from '../../core/errors.ts'
import { MainstayApiError, ServerUnreachableError, UnexpectedAnswerError } from '../errors.ts'
import { isUndecided } from './undecided.ts'

const answer = (status: number, faultKey: string | null = null): MainstayApiError =>
  new MainstayApiError('POST /x', { status, faultKey, requestId: null, retryAfterMs: null, message: 'no' })
const unreachable = (code: string): ServerUnreachableError => {
  const cause = new TypeError('fetch failed', { cause: Object.assign(new Error(code), { code }) })
  return new ServerUnreachableError('http://h', code, { cause })
}

describe('C4 whether a failed call for machines may have been carried out', () => {
  test.each<[what: string, error: unknown, alone: boolean, queued: boolean]>([
    ['no answer in time', new TimeoutError('POST', 1), true, true],
    ['a connection that broke', unreachable('ECONNRESET'), true, true],
    ['an answer that nobody understands', new UnexpectedAnswerError('POST', 'x'), true, true],
    ['a proxy that gave up', answer(504), true, true],
    ['a server in trouble', answer(500), true, true],
    ['a connection that was never made', unreachable('ECONNREFUSED'), false, true],
    ['a name that nobody knows', unreachable('ENOTFOUND'), false, true],
    ['too many calls', answer(429), false, true],
    ['a machine that was let go at the hand-over', answer(503, 'MS_POOL_HAND_OVER'), false, false],
    ['no machine is free', answer(409, 'MS_POOL_UNAVAILABLE'), false, false],
    ['the wait is over', answer(409, 'MS_POOL_REQUEST_REFUSED'), false, false],
    ['it can never be', answer(422), false, false],
  ])('C4 %s', (_what, error, alone, queued) => {
    const whether = [false, true].map((seen) => isUndecided(error, { queued: seen, waits: false }))
    expect(whether).toEqual([alone, queued])
  })

  test('C4 C7 a machine that was let go at the hand-over leaves a request that may wait in the queue', () => {
    expect(isUndecided(answer(503, 'MS_POOL_HAND_OVER'), { queued: false, waits: true })).toBe(true)
  })
})
