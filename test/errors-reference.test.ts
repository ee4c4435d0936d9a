import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

import { describe, expect, test } from 'vitest'

import { errorEntries, errorsPage, readErrors } from '../scripts/errors-reference.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const entries = readErrors(ROOT)

test('the page of errors is current; "node scripts/generate-errors.ts" brings it up to date', () => {
  expect(readFileSync(`${ROOT}docs/reference/errors.md`, 'utf8')).toBe(errorsPage(entries))
})

test('no two errors share a code', () => {
  const codes = entries.map(({ code }) => code)
  expect(codes.filter((code, index) => codes.indexOf(code) !== index)).toEqual([])
})

test('the errors of the ground floor are all there, as their instances have them', () => {
  expect(entries).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ name: 'TimeoutError', code: 'MS_TIMEOUT', status: '504', retryable: 'true' }),
      expect.objectContaining({ name: 'StoreFullError', code: 'MS_STORE_FULL', status: '507', retryable: 'true' }),
      expect.objectContaining({ name: 'FenceUnprovenError', code: 'MS_FENCE_UNPROVEN', status: '409' }),
    ]),
  )
})

describe('reading the classes', () => {
  const read = (text: string): ReturnType<typeof errorEntries> => errorEntries([{ path: 'x.ts', text }])

  test('takes what a class inherits, and the first comment above it', () => {
    const inherited = read(`
/** Not this one. */
const before = 1
/** Below it. */
export abstract class ApiError extends MainstayError {
  readonly status = 400
  readonly retryable = false
}

/**
 * A thing is missing,
 * says {@link find}.
 */
export class MissingError extends ApiError {
  readonly code = 'MS_MISSING'
  override readonly status = 404
}
/** A kind of the one above. */
export class MissingHostError extends MissingError {}
export class OtherError extends Error {}
`)
    expect(inherited).toEqual([
      {
        name: 'MissingError',
        path: 'x.ts',
        code: 'MS_MISSING',
        status: '404',
        retryable: 'false',
        text: 'A thing is missing, says `find`.',
      },
    ])
  })

  test.each([
    ['/** Text. */\nexport class AError extends MainstayError {\n  readonly status = 400\n}', /AError has no code/],
    ["export class AError extends MainstayError {\n  readonly code = 'MS_A'\n}", /AError has no comment/],
    ["/** Text. */\nexport class AError extends MainstayError {\n  readonly code = 'lower'\n}", /AError has no code/],
  ])('refuses a class that lacks what the page needs: %j', (text, said) => {
    expect(() => read(text)).toThrow(said)
  })
})
