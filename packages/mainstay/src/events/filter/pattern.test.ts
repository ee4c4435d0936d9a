import { assert, constantFrom, array, property } from 'fast-check'
import { expect, test } from 'vitest'

import { compileEventPattern, countWildcards, globMatches, isPattern, type Letters } from './pattern.ts'

/** Texts that are hard on patterns: few letters, many wildcards. */
const letters = (...alphabet: string[]): ReturnType<typeof array<string>> =>
  array(constantFrom(...alphabet), { maxLength: 256 })

/** Counts how often a letter is read. */
function counted(text: string, tally: { reads: number }): Letters {
  return {
    length: text.length,
    charCodeAt: (index) => {
      tally.reads += 1
      return text.charCodeAt(index)
    },
  }
}

test('E-209 no pattern reads more letters than its length times that of the text', () => {
  assert(
    property(letters('a', 'b', '*', '?', '.', '**', '.*.', '.**.'), letters('a', 'b', '.'), (pattern, text) => {
      const [glob, subject] = [pattern.join(''), text.join('')]
      const tally = { reads: 0 }
      compileEventPattern(glob)(subject.split('.').map((segment) => counted(segment, tally)))
      expect(tally.reads).toBeLessThanOrEqual((glob.length + 1) * (subject.length + 1))
    }),
    { numRuns: 300 },
  )
})

test('E-209 the worst patterns that are known stay within that bound', () => {
  for (const glob of ['*a'.repeat(128), '**.a.'.repeat(51), `${'a*'.repeat(127)}b`, '**.*a*a*a*b.'.repeat(21)]) {
    const tally = { reads: 0 }
    compileEventPattern(glob)([
      counted('a'.repeat(255), tally),
      ...Array.from({ length: 50 }, () => counted('a', tally)),
    ])
    expect(tally.reads).toBeLessThanOrEqual((glob.length + 1) * 356)
  }
})

test('E-209 a glob says the same as the regular expression it stands for', () => {
  assert(
    property(letters('a', 'b', '*', '?'), letters('a', 'b'), (pattern, text) => {
      const glob = pattern.slice(0, 8).join('')
      const subject = text.slice(0, 12).join('')
      const expression = new RegExp(`^${glob.replaceAll('*', '.*').replaceAll('?', '.')}$`)
      expect(globMatches(glob, subject)).toBe(expression.test(subject))
    }),
    { numRuns: 500 },
  )
})

test('E-209 an event pattern says the same as the regular expression it stands for', () => {
  const segment = { '**': '(?:\\.[^.]*)*', '*': '\\.[^.]*' }
  assert(
    property(letters('a', 'b', '*', '**'), letters('a', 'b', ''), (pattern, text) => {
      const items = pattern.slice(0, 5)
      const subject = text.slice(0, 6)
      const last = items.at(-1) === '*' ? segment['**'] : ''
      // Each segment with the dot before it.
      const source = items.map((item) => (item === '**' || item === '*' ? segment[item] : `\\.${item}`)).join('') + last
      const expected = new RegExp(`^${source}$`).test(subject.map((each) => `.${each}`).join(''))
      expect(items.length === 0 || compileEventPattern(items.join('.'))(subject) === expected).toBe(true)
    }),
    { numRuns: 500 },
  )
})

test.each([
  ['a.b', false, 0],
  ['a.*', true, 1],
  ['**.a?*', true, 3],
  ['!a', true, 0],
  ['a!', false, 0],
  ['', false, 0],
])('R15 %s is a pattern: %s, with %i wildcards', (text, pattern, wildcards) => {
  expect(isPattern(text)).toBe(pattern)
  expect(countWildcards(text)).toBe(wildcards)
})
