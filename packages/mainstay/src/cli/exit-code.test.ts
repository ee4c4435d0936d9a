import { describe, expect, test } from 'vitest'

import { MainstayApiError, ServerUnreachableError, UnexpectedAnswerError } from '../client/index.ts'
import { InvalidInputError, TimeoutError } from '../core/errors.ts'
import { describeError } from './describe-error.ts'
import { NoSuchThingError, OutcomeError, RefusedError, UsageError } from './errors.ts'
import { exitCodeOfError, exitCodeOfRun } from './exit-code.ts'

function refusal(status: number, faultKey: string | null = null): MainstayApiError {
  const fault = { status, faultKey, requestId: 'req-1', retryAfterMs: null, message: `no\n  ${status}` }
  return new MainstayApiError('GET /x', fault)
}

describe('exit codes (interface: 0 done, 1 failed, 2 usage, 3 refused, 4 unreachable)', () => {
  test.each<[unknown, number]>([
    [new UsageError('x'), 2],
    [new InvalidInputError('x'), 2],
    [new NoSuchThingError('x'), 1],
    [new OutcomeError('x'), 1],
    [new RefusedError('x'), 3],
    [new UnexpectedAnswerError('GET /x', 'x'), 1],
    [new ServerUnreachableError('http://h', 'x', { cause: undefined }), 4],
    [new TimeoutError('x', 1), 4],
    [refusal(400), 1],
    [refusal(401), 1],
    [refusal(403), 3],
    [refusal(404), 1],
    [refusal(409), 3],
    [refusal(413), 1],
    [refusal(422), 1],
    [refusal(422, 'MS_POOL_REQUEST_IMPOSSIBLE'), 3],
    [refusal(500), 1],
    [refusal(502), 4],
    [refusal(503), 4],
    [new Error('x'), 1],
    ['x', 1],
  ])('%s: %i', (error, code) => {
    expect(exitCodeOfError(error)).toBe(code)
  })

  test.each([
    [0, 0],
    [1, 1],
    [3, 3],
    [-1, 1],
    [-2, 1],
    [-4, 2],
    [-5, 2],
  ])('of the argument scanner %i: %i', (scanner, code) => {
    expect(exitCodeOfRun(scanner)).toBe(code)
  })
})

describe('what is printed of an error', () => {
  test('is one line with the request id', () => {
    expect(describeError(refusal(409), { debug: false })).toBe('mainstay: no 409 (request req-1)')
    expect(describeError('broken', { debug: false })).toBe('mainstay: broken')
  })

  test('is everything with --debug', () => {
    const error = new OutcomeError('outer', { cause: new Error('inner', { cause: 'root' }) })
    const text = describeError(error, { debug: true })
    expect(text).toMatch(/^mainstay: outer\n/)
    expect(text).toContain('[MS_OUTCOME, status 500]')
    expect(text).toContain('caused by Error: inner')
    expect(text).toContain('caused by root')
  })
})
