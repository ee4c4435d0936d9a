import { describe, expect, test } from 'vitest'

import { lastValue, readLimit, readPage, sortTerms } from './list-query.ts'

const COLUMNS = ['created_at', 'id', 'name', 'uuid']

function sorted(query: string): string {
  const page = readPage(new URLSearchParams(query), 10)
  return sortTerms(page, COLUMNS)
    .map(({ column, direction }) => `${column} ${direction}`)
    .join(', ')
}

describe('paging and sorting (ha-api 5.3)', () => {
  test.each([
    ['', 1000],
    ['limit=5', 5],
    ['limit=0', 0],
    ['limit= 7 ', 7],
    ['limit=%2B7', 7],
    ['limit=99999', 1000],
    ['limit=5&limit=6', 6],
    ['page_size=3', 1000],
    ['limit=99999999999999999999999', 1000],
  ])('%s gives a limit of %i', (query, expected) => {
    expect(readLimit(new URLSearchParams(query), 1000)).toBe(expected)
  })

  test.each(['limit=', 'limit=x', 'limit=1.5', 'limit=-1', 'limit=1e3', 'page_size=-1', 'page_size=x', 'page_size='])(
    '%s is refused',
    (query) => {
      expect(() => readLimit(new URLSearchParams(query), 1000)).toThrow(/limit|page_size/)
    },
  )

  test.each([
    ['', 'created_at desc, id desc'],
    ['sort_dir=asc', 'created_at asc, id asc'],
    ['sort_key=name', 'name desc, created_at desc, id desc'],
    ['sort_key=name&sort_dir=asc', 'name asc, created_at asc, id asc'],
    ['sort_key=name&sort_key=uuid&sort_dir=asc', 'name asc, uuid asc, created_at asc, id asc'],
    ['sort_key=name&sort_key=id&sort_dir=asc&sort_dir=desc', 'name asc, id desc, created_at asc'],
    ['sort_key=%20name%20', 'name desc, created_at desc, id desc'],
  ])('"%s" sorts by %s', (query, expected) => {
    expect(sorted(query)).toBe(expected)
  })

  test.each([
    ['sort_dir=up', /'up'/],
    ['sort_dir=', /''/],
    ['sort_dir=asc&sort_dir=desc', /exceeds/],
    ['sort_key=name&sort_dir=asc&sort_dir=asc', /exceeds/],
    ['sort_key=nothing', /'nothing'/],
    ['sort_key=hosts', /'hosts'/],
  ])('"%s" is refused', (query, message) => {
    expect(() => sorted(query)).toThrow(message)
  })

  test('of a repeated parameter the last value counts, without the white space around it', () => {
    expect(lastValue(new URLSearchParams('a=1&a=%202%20'), 'a')).toBe('2')
    expect(lastValue(new URLSearchParams('b=1'), 'a')).toBeNull()
  })
})
