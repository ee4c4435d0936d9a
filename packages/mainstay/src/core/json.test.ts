import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { InvalidInputError } from './errors.ts'
import { canonicalJson, isJsonObject, parseJson, toJson } from './json.ts'

describe('reading JSON', () => {
  test('names the text that is not JSON, and keeps the cause', () => {
    const error = captured(() => parseJson('{"a":', 'the body of POST /v1/segments'))
    expect(error).toBeInstanceOf(InvalidInputError)
    expect((error as Error).message).toMatch(/^the body of POST \/v1\/segments is not valid JSON: /)
    expect((error as Error).cause).toBeInstanceOf(SyntaxError)
  })

  test('gives back what was written', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(parseJson(toJson(value), 'text')).toEqual(parseJson(canonicalJson(value), 'text'))
      }),
    )
  })

  test('treats a member named __proto__ as a member', () => {
    const value = parseJson('{"__proto__":{"admin":true}}', 'text')
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
    expect(canonicalJson(value)).toBe('{"__proto__":{"admin":true}}')
  })
})

describe('writing JSON', () => {
  test.each([
    [undefined, 'null'],
    [{ a: undefined, b: 1 }, '{"b":1}'],
    [[undefined, 1], '[null,1]'],
    ['line\nbreak', '"line\\nbreak"'],
  ])('%j becomes %s', (value, text) => {
    expect(toJson(value)).toBe(text)
    expect(canonicalJson(value)).toBe(text)
  })

  test('equal objects give equal canonical text, whatever the order of their members', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (object) => {
        const reversed = Object.fromEntries(Object.entries(object).toReversed())
        expect(canonicalJson(reversed)).toBe(canonicalJson(object))
      }),
    )
  })

  test('a value that says how it is written is written so by both', () => {
    const value = { at: new Date(0), nested: [{ toJSON: () => ({ b: 1, a: 2 }) }] }
    expect(canonicalJson(value)).toBe('{"at":"1970-01-01T00:00:00.000Z","nested":[{"a":2,"b":1}]}')
  })
})

test.each([
  [{}, true],
  [[], false],
  [null, false],
  ['{}', false],
])('%j is a JSON object: %s', (value, expected) => {
  expect(isJsonObject(value)).toBe(expected)
})

function captured(work: () => unknown): unknown {
  try {
    work()
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}
