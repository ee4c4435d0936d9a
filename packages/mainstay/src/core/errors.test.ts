import { describe, expect, test } from 'vitest'

import { InvalidInputError, ShutdownError, TimeoutError, errorCode, errorMessage, isRetryable } from './errors.ts'

describe('an error of ours', () => {
  test('carries its class as its name, its code and its cause', () => {
    const cause = new Error('deep')
    const error = new InvalidInputError('bad input', { cause })
    expect({ name: error.name, code: error.code, status: error.status, cause: error.cause }).toEqual({
      name: 'InvalidInputError',
      code: 'MS_INVALID_INPUT',
      status: 400,
      cause,
    })
  })
})

test.each([
  [new Error('plain'), 'plain'],
  ['a text', 'a text'],
  [undefined, 'undefined'],
  // Node reports a refused connection to a name with two addresses so.
  [new AggregateError([new Error('refused ::1'), new Error('refused 127.0.0.1')]), 'refused ::1; refused 127.0.0.1'],
  [new AggregateError([new Error('a')], 'all failed'), 'all failed'],
])('%o says %s', (error, message) => {
  expect(errorMessage(error)).toBe(message)
})

test.each([
  [new TimeoutError('x', 1), true],
  [new ShutdownError(), true],
  [new InvalidInputError('x'), false],
  [new Error('x'), false],
  [null, false],
])('%o may be retried: %s', (error, expected) => {
  expect(isRetryable(error)).toBe(expected)
})

test.each([
  [Object.assign(new Error('x'), { code: 'ENOENT' }), 'ENOENT'],
  [new TimeoutError('x', 1), 'MS_TIMEOUT'],
  [Object.assign(new Error('x'), { code: 5 }), undefined],
  [null, undefined],
  ['ENOENT', undefined],
])('%o has the code %s', (error, code) => {
  expect(errorCode(error)).toBe(code)
})
