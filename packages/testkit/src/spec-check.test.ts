import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { Cluster } from './cluster.ts'
import { componentSpec, skipReason } from './components/component.ts'
import { homeDir, removeQuietly } from './home.ts'
import { leasePort } from './ports/port-lease.ts'
import type { ServerSpec } from './spec.ts'
import { checkSpec } from './spec-check.ts'
import { rejection } from './testing/fixture-server.ts'

afterEach(() => {
  vi.unstubAllEnvs()
})

/** As it may come from JavaScript. */
const spec = (over: object): ServerSpec => ({ name: 'api', command: ['true'], ...over })

describe('what a spec cannot mean is refused when it is added', () => {
  test.each<[object, string]>([
    [{ ready: null }, 'ready cannot be null'],
    [{ ready: {} }, 'ready is no condition (it is empty)'],
    [{ ready: { htpp: '/x' } }, 'ready is no condition ("htpp" is not known): did you mean "http"?'],
    [{ ready: { any: [{ fiel: '/x' }] } }, 'ready.any is no condition ("fiel" is not known): did you mean "file"?'],
    [{ ready: [{ http: '/x' }, { log: 'ready' }] }, 'ready.log cannot be "ready"'],
    [{ ready: { http: '/x', log: /x/ } }, 'ready has http and log at once'],
    [{ ready: { http: '/x', timeoutMs: -1 } }, 'ready.timeoutMs must be milliseconds'],
    [{ ready: { http: '/x', intervalMs: Number.NaN } }, 'ready.intervalMs must be milliseconds'],
    [{ reload: { signal: 'SIGHUP', done: {} } }, 'reload.done is no condition'],
    [{ reload: { signal: 'SIGHUB', done: { log: /x/ } } }, 'the signal cannot be "SIGHUB"; did you mean "SIGHUP"?'],
    [{ stop: { signal: 'SIGTERMM' } }, 'the signal cannot be "SIGTERMM"; did you mean "SIGTERM"?'],
    [{ launch: 'servcie' }, 'launch cannot be "servcie"; did you mean "service"?'],
    [{ database: { engine: 'oracle', migrate: [] } }, 'database.engine cannot be "oracle": use sqlite, postgres'],
    [
      { listen: [{ name: 'x', handover: 'inherits' }] },
      'the handover of listener "x" cannot be "inherits"; did you mean "inherit"?',
    ],
    [{ listen: [{ name: 'x', handover: {} }] }, 'the handover of listener "x" names no variable'],
    [{ listen: [{ name: 'x' }, { name: 'x' }] }, 'there are two listeners named "x"'],
    [{ listen: [{ name: 'a:b' }] }, '"a:b" cannot be a listener\'s name'],
    [{ listen: [{ name: 'x', host: '0.0.0.0' }] }, 'the host of listener "x" cannot be "0.0.0.0"'],
    [{ listen: [{ name: 'x', host: 'localhost' }] }, 'the host of listener "x" cannot be "localhost": use 127.0.0.1'],
    [{ listen: [{ name: 'x', port: 99_999 }] }, 'the port of listener "x" cannot be 99999'],
    [{ listen: [{ name: 'x', port: '80' }] }, 'the port of listener "x" cannot be "80"'],
    [{ listen: [{ name: 'x', samePort: 'always' }] }, 'samePort of listener "x" cannot be "always"'],
  ])('%j', (over, message) => {
    expect(() => checkSpec(spec(over))).toThrow(
      expect.objectContaining({ code: 'TK_BAD_SPEC', message: expect.stringContaining(`server "api": ${message}`) }),
    )
  })

  test.each<object>([
    { ready: { all: [{ port: 'http' }, { notify: true }, { exec: ['true'] }] }, listen: [{ name: 'http' }] },
    { ready: [{ fn: () => true }, { sql: 'select 1', timeoutMs: 0 }], launch: () => 'oneshot' },
    { listen: [{ name: 'x', host: '::1', port: 65_535, handover: { env: 'FD' }, samePort: 'require' }] },
    { database: { shareWith: 'other' }, stop: { signal: 'SIGINT' } },
  ])('%j is fine', (over) => {
    expect(() => checkSpec(spec(over))).not.toThrow()
  })

  test('a cluster with such a server is not left behind', async () => {
    const home = join(homeDir('own-tests'), `bad-spec-${process.pid}`)
    vi.stubEnv('MAINSTAY_TESTKIT_DIR', home)
    const error = await rejection(Cluster.create({ keep: 'never', servers: [spec({ ready: {} })] }))
    expect(error).toMatchObject({ code: 'TK_BAD_SPEC' })
    expect(readdirSync(join(home, 'runs'))).toEqual([])
    removeQuietly(home)
  })
})

describe('what an environment variable cannot mean is refused', () => {
  test('MAINSTAY_TESTKIT_KEEP, before anything is made', async () => {
    const home = join(homeDir('own-tests'), `bad-keep-${process.pid}`)
    vi.stubEnv('MAINSTAY_TESTKIT_DIR', home)
    vi.stubEnv('MAINSTAY_TESTKIT_KEEP', 'yes')
    const error = await rejection(Cluster.create())
    expect(error).toMatchObject({ code: 'TK_BAD_SPEC' })
    expect(error.message).toBe('MAINSTAY_TESTKIT_KEEP=yes is neither "always", "fail" nor "never"')
    expect(existsSync(home)).toBe(false)
    vi.stubEnv('MAINSTAY_TESTKIT_KEEP', '')
    await (await Cluster.create()).dispose()
    removeQuietly(home)
  })

  test('H-70 MAINSTAY_TESTKIT_REQUIRE: a misspelt component would be skipped after all', async () => {
    vi.stubEnv('MAINSTAY_TESTKIT_REQUIRE', 'postgres, redsi')
    const error = await rejection(skipReason('redis'))
    expect(error.message).toBe('MAINSTAY_TESTKIT_REQUIRE cannot be "redsi"; did you mean "redis"?')
  })

  test.each(['0-5', '5-4', '1-65536', 'all'])('MAINSTAY_TESTKIT_PORTS=%s', async (range) => {
    vi.stubEnv('MAINSTAY_TESTKIT_PORTS', range)
    expect(await rejection(leasePort())).toMatchObject({ code: 'TK_BAD_SPEC' })
  })
})

test('an unknown component is refused by name', () => {
  expect(() => componentSpec('postgress' as 'postgres')).toThrow(
    'a component cannot be "postgress"; did you mean "postgres"?',
  )
})
