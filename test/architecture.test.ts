import { globSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

import { describe, expect, test, vi } from 'vitest'

import { FLOORS, findBreaches } from './support/architecture-rules.ts'
import { importsOf, readSource } from './support/source-text.ts'

// It reads every source of the repository.
vi.setConfig({ testTimeout: 30_000 })

const ROOT = fileURLToPath(new URL('..', import.meta.url))

function sources(): string[] {
  return globSync(['packages/*/src/**/*.{ts,tsx}', 'test/**/*.ts', 'scripts/**/*.ts', 'bench/**/*.ts'], {
    cwd: ROOT,
    exclude: (path) => /(?:^|\/)(?:node_modules|dist|fixtures)(?:\/|$)/.test(path),
  })
    .map((path) => path.replaceAll('\\', '/'))
    .sort()
}

const ALLOWED = new Set([
  // Loaded by a test runner that asks for a default export.
  'scripts/closing-line-reporter.ts default export',
  'packages/mockguard/src/testing/node-reporter.ts default export',
  // The examples below.
  'test/architecture.test.ts doubled word',
])

test('no source breaks a rule of the house', () => {
  const breaches = sources()
    .flatMap((path) => findBreaches({ path, text: readFileSync(`${ROOT}${path}`, 'utf8') }))
    .filter(({ path, rule }) => !ALLOWED.has(`${path} ${rule}`))
    .map(({ path, line, rule, message }) => `${path}:${line} ${rule}: ${message}`)
  expect(breaches).toEqual([])
})

test('every room of the program has a floor, and the sources are really looked at', () => {
  const paths = sources()
  const rooms = paths.flatMap((path) => /^packages\/mainstay\/src\/([^/]+)\//.exec(path)?.[1] ?? [])
  expect([...new Set(rooms)].filter((room) => FLOORS[room] === undefined)).toEqual([])
  expect(paths).toEqual(expect.arrayContaining(['packages/mainstay/src/core/clock.ts', 'test/architecture.test.ts']))
})

describe('a source that breaks a rule is found', () => {
  const room = (path: string): string => `packages/mainstay/src/${path}`
  test.each<[rule: string, path: string, text: string]>([
    ['floor', room('core/x.ts'), "import { a } from '../store/store.ts'"],
    ['floor', room('store/x.ts'), "export { a } from '../journal/index.ts'"],
    ['floor', room('http/deep/x.ts'), "import type { A } from '../../ha/index.ts'"],
    ['floor', room('recovery/x.ts'), "const a = await import('../server/index.ts')"],
    ['floor', room('server/x.ts'), "import '../cli/main.ts'"],
    ['floor', room('pool/x.ts'), "export * from '../simulation/index.ts'"],
    ['floor', room('attic/x.ts'), "import { a } from '../core/clock.ts'"],
    ['floor', room('core/x.test.ts'), "import { a } from '../store/store.ts'"],
    ['inside', room('recovery/x.ts'), "import { a } from '../pool/decide.ts'"],
    ['inside', room('monitors/x.ts'), "import { type A } from '../ha/rules/a.ts'"],
    ['stranger', room('ha/x.ts'), "import { a } from '../recovery/index.ts'"],
    ['stranger', room('pool/x.ts'), "import { a } from '../events/index.ts'"],
    ['standalone', 'packages/testkit/src/x.ts', "import { a } from 'mainstay/client'"],
    ['standalone', 'packages/testkit/src/x.ts', "import { a } from '@mainstay/mockguard'"],
    ['standalone', 'packages/libvirt-rpc/src/x.ts', "import { a } from '../../mainstay/src/core/clock.ts'"],
    ['standalone', 'packages/mockguard/src/x.ts', "import { a } from '../../../test/support/need.ts'"],
    ['standalone', 'packages/dashboard/src/x.ts', "import { a } from '../../mainstay/src/core/clock.ts'"],
    ['driver', room('journal/x.ts'), "import { DatabaseSync } from 'node:sqlite'"],
    ['driver', room('store/sqlite/store.ts'), "import type { DatabaseSync } from 'node:sqlite'"],
    ['driver', room('pool/x.ts'), "import { Pool } from 'pg'"],
    ['driver', room('pool/redis/store.ts'), "import { createClient } from '@redis/client'"],
    ['driver', room('journal/x.ts'), "import { setTimeout as wait } from 'node:timers/promises'"],
    ['ground', room('pool/x.ts'), 'const now = Date.now()'],
    ['ground', room('pool/x.ts'), 'const now = new Date()'],
    ['ground', room('pool/x.ts'), 'const now = new Date( ).getTime()'],
    ['ground', room('pool/x.ts'), 'const a = Math.random()'],
    ['ground', room('pool/x.ts'), 'setTimeout(work, 5)'],
    ['ground', room('pool/x.ts'), 'globalThis.setTimeout(work, 5)'],
    ['ground', room('pool/x.ts'), 'const t = setInterval(work, 5)'],
    ['ground', room('pool/x.ts'), 'const a = JSON.parse(text)'],
    ['ground', room('pool/x.ts'), 'const a = list.map(JSON.stringify)'],
    ['ground', room('pool/x.ts'), 'const text = `at ${new Date()} we`'],
    ['floor', room('core/x.ts'), "import { MainstayClient } from 'mainstay/client'"],
    ['floor', room('pool/x.ts'), "const a = await import('mainstay/testkit')"],
    ['inside', room('recovery/x.ts'), "import { a } from '../../src/pool/decide.ts'"],
    ['program', room('pool/x.ts'), "import { need } from '../../../../test/support/need.ts'"],
    ['program', room('pool/x.ts'), "import { a } from '../../../libvirt-rpc/src/index.ts'"],
    ['program', room('pool/x.ts'), "import { a } from '../../dist/server/index.js'"],
    ['program', room('pool/x.ts'), "import { a } from 'mainstay/src/server/index.ts'"],
    ['program', room('pool/x.ts'), "import { a } from '/tmp/a.ts'"],
    ['unknown import', room('pool/x.ts'), 'const a = await import(name)'],
    ['unknown import', room('pool/x.ts'), 'const a = await import(`node:${name}`)'],
    ['unknown import', room('pool/x.ts'), "const a = await import('node:' + 'sqlite')"],
    ['driver', room('pool/x.ts'), "import { Client } from 'pg/lib/index.js'"],
    ['driver', room('pool/x.ts'), "import Pool from 'pg-pool'"],
    ['driver', room('pool/x.ts'), "import { createClient } from '@redis/client/dist/lib/client/index.js'"],
    ['driver', room('pool/x.ts'), "import { createRequire } from 'node:module'"],
    ['driver', room('pool/x.ts'), "import { setTimeout as wait } from 'timers/promises'"],
    ['ground', room('pool/x.ts'), "process.getBuiltinModule('node:sqlite')"],
    ['ground', room('pool/x.ts'), "process['getBuiltinModule']('node:sqlite')"],
    ['ground', room('pool/x.ts'), 'const { getBuiltinModule } = process'],
    ['ground', room('pool/x.ts'), "const a = createRequire(import.meta.url)('node:sqlite')"],
    ['ground', room('pool/x.ts'), "const at = Date['now']()"],
    ['ground', room('pool/x.ts'), 'const { now } = Date'],
    ['ground', room('pool/x.ts'), 'const text = Date()'],
    ['ground', room('pool/x.ts'), 'run(Date)'],
    ['ground', room('pool/x.ts'), 'const at = new globalThis.Date()'],
    ['ground', room('pool/x.ts'), 'const { random } = Math'],
    ['ground', room('pool/x.ts'), "const a = Math['random']()"],
    ['ground', room('pool/x.ts'), 'const at = Temporal.Now.instant()'],
    ['ground', room('pool/x.ts'), 'const { Now } = Temporal'],
    ['ground', room('pool/x.ts'), 'const at = performance.now()'],
    ['ground', room('pool/x.ts'), "import { performance } from 'node:perf_hooks'"],
    ['ground', room('pool/x.ts'), 'const at = process.hrtime.bigint()'],
    ['ground', room('pool/x.ts'), 'setImmediate(work)'],
    ['ground', room('pool/x.ts'), 'const wait = setTimeout'],
    ['ground', room('pool/x.ts'), 'setTimeout.call(null, work, 5)'],
    ['ground', room('pool/x.ts'), "globalThis['setTimeout'](work, 5)"],
    ['ground', room('pool/x.ts'), 'const world = globalThis'],
    ['ground', room('pool/x.ts'), 'window.setTimeout(work, 5)'],
    ['ground', room('pool/x.ts'), 'const signal = AbortSignal.timeout(5)'],
    ['ground', room('pool/x.ts'), "const signal = AbortSignal['timeout'](5)"],
    ['ground', room('pool/x.ts'), 'const { timeout } = AbortSignal'],
    ['ground', room('pool/x.ts'), "import { createHmac, randomBytes } from 'node:crypto'"],
    ['ground', room('pool/x.ts'), 'const id = globalThis.crypto.randomUUID()'],
    ['ground', room('pool/x.ts'), 'crypto.getRandomValues(words)'],
    ['shell', room('pool/x.ts'), "import { exec } from 'node:child_process'"],
    ['shell', room('pool/x.ts'), "import * as child_process from 'node:child_process'\nchild_process.exec('ls | wc')"],
    ['shell', room('core/x.ts'), "spawn('ls | wc', { shell: true })"],
    ['default export', room('pool/x.ts'), 'export default function a() {}'],
    ['default export', room('pool/x.ts'), 'export { a as default }'],
    ['enum', room('pool/x.ts'), 'export const enum State { Ready }'],
    ['namespace', room('pool/x.ts'), 'export namespace State {}'],
    ['name', room('pool/utils.ts'), ''],
    ['name', room('pool/helpers.test.ts'), ''],
    ['name', room('pool/manager2.ts'), ''],
    ['name', room('pool/vmState.ts'), ''],
    ['doubled word', room('pool/x.ts'), '// it is the the last one'],
    ['doubled word', room('pool/x.ts'), '/**\n * A machine that is\n * is gone.\n */'],
    ['doubled word', room('pool/x.ts'), "throw new Error('The host of of the segment')"],
  ])('%s: %s: %s', (rule, path, text) => {
    expect(findBreaches({ path, text }).map((finding) => finding.rule)).toContain(rule)
  })

  test.each<[path: string, text: string]>([
    [room('store/x.ts'), "import { a } from '../core/clock.ts'"],
    [room('recovery/x.ts'), "import { a } from '../pool/index.ts'"],
    [room('compute/openstack/x.ts'), "import { a } from '../../openstack/nova/servers.ts'"],
    [room('server/x.ts'), "import { a } from '../ha/rules/a.ts'"],
    [room('store/sqlite/connection.ts'), "import { DatabaseSync } from 'node:sqlite'"],
    [room('store/postgres/pool.ts'), "import { Pool } from 'pg'"],
    [room('pool/redis/store.ts'), "import type { RedisClientType } from '@redis/client'"],
    [room('pool/redis/store.ts'), "import { type RedisClientType } from '@redis/client'"],
    [room('core/clock.ts'), 'Date.now(); setTimeout(a, 1); new Date()'],
    [room('pool/x.ts'), 'const at = new Date(ms); socket.setTimeout(5); clearTimeout(t)'],
    [
      room('pool/x.ts'),
      'const at = Date.parse(text) + Date.UTC(2026, 0); const is = at instanceof Date; Math.max(1, 2)',
    ],
    [
      room('pool/x.ts'),
      'type Stop = AbortSignal; const signal: AbortSignal = AbortSignal.any([a, AbortSignal.abort()])',
    ],
    [room('pool/x.ts'), "const a = await globalThis.fetch(url); process.env['HOME']; ids.random(); clock.now()"],
    [room('cli/x.ts'), "const a = await import('../server/index.ts'); const b = import( 'yaml', { with: {} })"],
    [room('cli/x.ts'), "import { a } from 'mainstay/client'"],
    [room('pool/x.ts'), "import { b } from 'pgvector'; import { a } from '@mainstay/libvirt-rpc'"],
    [room('pool/x.ts'), "// Date.now() and import { a } from '../server/index.ts' are only spoken of"],
    [room('pool/x.ts'), "const text = 'setTimeout(work, 5)'; const form = /new Date()/; const b = a / c / d"],
    [room('pool/x.test.ts'), 'expect(JSON.parse(text)).toEqual({})'],
    [room('pool/x.ts'), "throw new Error('the host host-1: that had been had')"],
    [room('pool/x.ts'), "run('mount -t proc proc /proc')"],
    ['packages/mockguard/src/x.ts', "import { a } from './core/mock.ts'; import { b } from '@mainstay/mockguard/core'"],
    ['packages/dashboard/src/x.ts', "import type { Host } from 'mainstay/client'"],
  ])('and one that keeps them is not: %s: %s', (path, text) => {
    expect(findBreaches({ path, text })).toEqual([])
  })
})

test('a source is read as the language reads it', () => {
  const text =
    "import type { A } from './a.ts' // './b.ts'\nconst t = `${x({ y: 'in' })} '${`deep ${z}`}'`; const r = /['\"`/*]/\nexport * from './c.ts'"
  const source = readSource(text)
  expect(importsOf(source)).toMatchObject([
    { specifier: './a.ts', typeOnly: true },
    { specifier: './c.ts', typeOnly: false },
  ])
  expect(source.strings.map((piece) => piece.text)).toEqual(['./a.ts', '', 'in', " '", 'deep ', '', "'", './c.ts'])
  expect(source.comments.map((piece) => piece.text)).toEqual([" './b.ts'"])
  expect(source.code).toHaveLength(text.length)
})
