import { expect, test } from 'vitest'

import { StoreSchemaError, StoreUnavailableError } from '../errors.ts'
import { explainPostgresError, isWorthRepeating } from './explain-error.ts'

test.each([
  ['25006', StoreUnavailableError, /takes no changes now/],
  ['28000', StoreUnavailableError, /does not let us in .*pg_hba/],
  ['28P01', StoreUnavailableError, /does not let us in .*password/],
  ['3D000', StoreUnavailableError, /has no such database/],
  ['42501', StoreUnavailableError, /forbids this to our user/],
  ['42P01', StoreSchemaError, /mainstay migrate/],
  ['42703', StoreSchemaError, /mainstay migrate/],
  ['3F000', StoreSchemaError, /search path/],
])('%s is told with its remedy, and is not tried again at once', (code, kind, words) => {
  const explained = explainPostgresError(Object.assign(new Error('said'), { code }), 'postgres://db')
  expect(explained).toBeInstanceOf(kind)
  expect(explained).toMatchObject({ message: expect.stringMatching(words) as string })
  expect(isWorthRepeating(explained)).toBe(false)
})

test.each([
  'EADDRNOTAVAIL',
  'ECONNABORTED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTDOWN',
  'EHOSTUNREACH',
  'ENETDOWN',
  'ENETUNREACH',
  'ENOENT',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
])('%s means that the server cannot be reached, which passes', (code) => {
  const explained = explainPostgresError(Object.assign(new Error('said'), { code }), 'postgres://db')
  expect(explained).toBeInstanceOf(StoreUnavailableError)
  expect(explained).toMatchObject({ retryable: true, message: expect.stringContaining('does not answer') as string })
})
