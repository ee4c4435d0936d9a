import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import { packedQuery, unpack, type PackedPage } from './packed-rows.ts'

const COLUMNS = [
  ['id', 'integer'],
  ['name', 'text'],
  ['message', 'text?'],
  ['end_time', 'integer?'],
] as const

type Row = readonly [number, string, string | null, number | null]

/** What the database answers: values of a row by U+001F, rows by U+001E. */
function packed(rows: readonly Row[]): PackedPage {
  const texts = rows.map(([id, name, message, end]) =>
    [String(id), name, message === null ? '' : `=${message}`, end === null ? '' : String(end)].join('\u001f'),
  )
  return { count: rows.length, page: rows.length === 0 ? null : texts.join('\u001e') }
}

const integer = fc.maxSafeInteger()
const row = (text: fc.Arbitrary<string>): fc.Arbitrary<Row> =>
  fc.tuple(integer, text, fc.option(text, { nil: null }), fc.option(integer, { nil: null }))
const isDivided = (text: string): boolean => text.includes('\u001e') || text.includes('\u001f')
const printable = fc.string({ unit: 'binary' }).filter((text) => !isDivided(text))
const treacherous = fc.string({ unit: fc.constantFrom('\u001e', '\u001f', '=', '1', '-') })

test('gives back every row as it was', () => {
  fc.assert(
    fc.property(fc.array(row(printable)), (rows) => {
      expect(unpack(packed(rows), COLUMNS)).toEqual(rows)
    }),
  )
})

test('never takes a value with a separator for something else', () => {
  fc.assert(
    fc.property(fc.array(row(treacherous), { minLength: 1, maxLength: 6 }), (rows) => {
      const divided = rows.some(([, name, message]) => isDivided(name) || isDivided(message ?? ''))
      expect(unpack(packed(rows), COLUMNS)).toEqual(divided ? undefined : rows)
    }),
    { numRuns: 2000 },
  )
})

test('the text has no value in it: separators are parameters after those of the query', () => {
  const query = { columns: COLUMNS, rest: 'from moves where id > $1 order by id limit $2', parameters: [7, 10] }
  expect(packedQuery(query)).toEqual({
    sql:
      'select count(*)::int as count, string_agg(packed, $4::text) as page from (select concat_ws($3::text, "id", "name", ' +
      `coalesce('=' || "message", ''), coalesce("end_time"::text, '')) as packed ` +
      'from moves where id > $1 order by id limit $2) as listed',
    parameters: [7, 10, '\u001f', '\u001e'],
  })
})
