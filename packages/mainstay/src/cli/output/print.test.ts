import { describe, expect, test } from 'vitest'

import { SystemClock } from '../../core/clock.ts'
import type { Json } from '../../core/json.ts'
import type { CliContext } from '../context.ts'
import { FORMATS, type Format, type ListOutputFlags } from './flags.ts'
import { indented } from './json.ts'
import { renderList, renderRecord } from './print.ts'
import { compareCells } from './sheet.ts'
import { fitWidths } from './table.ts'
import type { View } from './view.ts'

interface Guest {
  readonly name: string
  readonly memory: number
  readonly locked: boolean
  readonly tags: { readonly [name: string]: string } | null
}

const view: View<Guest> = {
  columns: {
    name: ({ name }) => name,
    memory: ({ memory }) => memory,
    locked: ({ locked }) => locked,
    tags: ({ tags }) => tags,
  },
  listed: ['name', 'memory', 'locked'],
  shown: ['name', 'memory', 'locked', 'tags'],
}
const GUESTS: readonly Guest[] = [
  { name: 'web "1", blue', memory: 512, locked: false, tags: { a: 'b' } },
  { name: 'db', memory: 2048, locked: true, tags: null },
]
const [WEB, DB] = GUESTS as readonly [Guest, Guest]

function context(columns?: number, env: Readonly<Record<string, string>> = {}): CliContext {
  const stream = { write: () => {}, columns }
  return {
    process: { stdout: stream, stderr: stream, env },
    clock: new SystemClock(),
    signal: new AbortController().signal,
    loadServer: async () => ({}),
  }
}

function flags(format: Format, more: Partial<ListOutputFlags> = {}): ListOutputFlags {
  return { format, noindent: false, fitWidth: false, ...more }
}

describe('a list', () => {
  test.each<[Format, string]>([
    [
      'table',
      `+---------------+--------+--------+
| name          | memory | locked |
+---------------+--------+--------+
| web "1", blue | 512    | False  |
| db            | 2048   | True   |
+---------------+--------+--------+
`,
    ],
    [
      'json',
      `[
  {
    "name": "web \\"1\\", blue",
    "memory": 512,
    "locked": false
  },
  {
    "name": "db",
    "memory": 2048,
    "locked": true
  }
]
`,
    ],
    ['yaml', '- name: web "1", blue\n  memory: 512\n  locked: false\n- name: db\n  memory: 2048\n  locked: true\n'],
    ['csv', '"name","memory","locked"\n"web ""1"", blue",512,"False"\n"db",2048,"True"\n'],
    ['value', 'web "1", blue 512 False\ndb 2048 True\n'],
  ])('as %s', async (format, text) => {
    expect(await renderList(context(), flags(format), view, GUESTS)).toBe(text)
  })

  test.each<[Format, string]>([
    ['table', '+------+--------+--------+\n| name | memory | locked |\n+------+--------+--------+\n'],
    ['json', '[]\n'],
    ['yaml', '[]\n'],
    ['csv', '"name","memory","locked"\n'],
    ['value', ''],
  ])('of nothing as %s', async (format, text) => {
    expect(await renderList(context(), flags(format), view, [])).toBe(text)
  })
})

describe('a record', () => {
  test.each<[Format, string]>([
    [
      'table',
      `+--------+---------------+
| Field  | Value         |
+--------+---------------+
| name   | web "1", blue |
| memory | 512           |
| locked | False         |
| tags   | {"a":"b"}     |
+--------+---------------+
`,
    ],
    [
      'json',
      '{\n  "name": "web \\"1\\", blue",\n  "memory": 512,\n  "locked": false,\n  "tags": {\n    "a": "b"\n  }\n}\n',
    ],
    ['yaml', 'name: web "1", blue\nmemory: 512\nlocked: false\ntags:\n  a: b\n'],
    ['csv', '"name","memory","locked","tags"\n"web ""1"", blue",512,"False","{""a"":""b""}"\n'],
    ['value', 'web "1", blue\n512\nFalse\n{"a":"b"}\n'],
  ])('as %s', async (format, text) => {
    expect(await renderRecord(context(), flags(format), view, WEB)).toBe(text)
  })

  test.each<[Format, string]>([
    ['value', 'None\n'],
    ['csv', '"tags"\n""\n'],
    ['json', '{\n  "tags": null\n}\n'],
    ['yaml', 'tags: null\n'],
  ])('without a value as %s', async (format, text) => {
    expect(await renderRecord(context(), flags(format, { column: ['tags'] }), view, DB)).toBe(text)
  })
})

describe('columns', () => {
  test('are printed in their own order, also those that a list leaves out', async () => {
    expect(await renderList(context(), flags('value', { column: ['tags', 'name'] }), view, [DB])).toBe('db None\n')
  })

  test.each<[readonly string[], string]>([
    [['memory'], 'web "1", blue\ndb\n'],
    [['locked', 'name'], 'web "1", blue\ndb\n'],
    [['name'], 'db\nweb "1", blue\n'],
    [['tags'], 'web "1", blue\ndb\n'],
  ])('sort the rows: %j', async (sortColumn, text) => {
    expect(await renderList(context(), flags('value', { column: ['name'], sortColumn }), view, GUESTS)).toBe(text)
  })

  test.each(FORMATS)('that do not exist are answered with those that do, as %s', async (format) => {
    const message = 'There is no column "nam". The columns are name, memory, locked, tags.'
    await expect(renderList(context(), flags(format, { column: ['nam'] }), view, GUESTS)).rejects.toThrow(message)
    await expect(renderList(context(), flags(format, { sortColumn: ['nam'] }), view, GUESTS)).rejects.toThrow(message)
  })
})

describe('the width of a table', () => {
  const widest = (text: string): number => Math.max(...text.split('\n').map((line) => line.length))

  test.each<[string, number | undefined, Readonly<Record<string, string>>, boolean, number]>([
    ['is not bound without the flag', 30, {}, false, 35],
    ['is the terminal', 30, {}, true, 30],
    ['is the terminal, by the environment', 30, { CLIFF_FIT_WIDTH: '1' }, false, 30],
    ['is COLUMNS in a pipe', undefined, { COLUMNS: '31' }, true, 31],
    ['is not bound in a pipe that says nothing', undefined, {}, true, 35],
    ['is left alone by a COLUMNS that is no number', undefined, { COLUMNS: 'wide' }, true, 35],
    ['is never made larger', 200, {}, true, 35],
  ])('%s', async (_name, columns, env, fitWidth, expected) => {
    const text = await renderList(context(columns, env), flags('table', { fitWidth }), view, GUESTS)
    expect(widest(text)).toBe(expected)
    expect(text.replace(/[^a-z]/g, '')).toContain('name')
  })

  test('loses no text when cells are broken', async () => {
    const text = await renderList(context(26), flags('table', { fitWidth: true, column: ['name'] }), view, [
      { ...WEB, name: 'abcdefghijklmnopqrstuvwxyz0123456789' },
    ])
    expect(widest(text)).toBe(26)
    expect(text.replace(/[^a-z0-9]/g, '')).toBe('nameabcdefghijklmnopqrstuvwxyz0123456789')
  })

  test.each<[readonly number[], number, readonly number[]]>([
    [[4, 4], 15, [4, 4]],
    [[20, 4], 21, [10, 4]],
    [[20, 20], 27, [10, 10]],
    [[20, 20], 1, [6, 6]],
  ])('columns of %j in %i', (natural, maxWidth, widths) => {
    expect(fitWidths(natural, maxWidth)).toEqual(widths)
  })
})

test('control characters of a name are shown and not sent to the terminal', async () => {
  const text = await renderList(context(), flags('table'), view, [{ ...DB, name: 'a\u001B[2Jb\rc' }])
  expect(text).toContain('a\\x1b[2Jb\\x0dc')
})

test('json on one line', async () => {
  const text = await renderList(context(), flags('json', { noindent: true }), view, [DB])
  expect(text).toBe('[{"name":"db","memory":2048,"locked":true}]\n')
})

test.each<[Json, string]>([
  [[], '[]'],
  [{}, '{}'],
  [[[]], '[\n  []\n]'],
  [{ a: [1, { b: null }] }, '{\n  "a": [\n    1,\n    {\n      "b": null\n    }\n  ]\n}'],
])('json of %j over several lines', (value, text) => {
  expect(indented(value)).toBe(text)
  expect(indented(value)).toBe(JSON.stringify(value, null, 2))
})

test.each<[Json, Json, number]>([
  [2, 10, -8],
  ['2', '10', 1],
  [null, 'a', 1],
  ['a', null, -1],
  [null, null, 0],
  [false, true, -1],
  ['a', 'a', 0],
])('%j before %j: %i', (a, b, order) => {
  expect(compareCells(a, b)).toBe(order)
})
