import { describe, expect, test } from 'vitest'

import { SystemClock } from '../core/clock.ts'
import type { CheckResult, Running, ServerModule } from './load-server.ts'
import { runCommand } from './testing/run-command.ts'

/** Something that runs until it is told to stop, or until it ends by itself. */
function running(ended: Promise<void> = new Promise(() => {})): Running & { readonly stops: number } {
  let stops = 0
  return {
    banner: ['serves http://127.0.0.1:1', '  data  /tmp/x'],
    ended,
    stop: async () => void (stops += 1),
    get stops() {
      return stops
    },
  }
}

const CONFIGURATION = ['--config', 'a.toml', '--set', 'log.level=warn', '--set', 'store.url=x=y', '--data-dir', '/d']

describe('serve', () => {
  test('passes on what the flags say, prints the banner, and stops in good order when told to', async () => {
    const server = running()
    const stop = new AbortController()
    const clock = new SystemClock()
    const asked: Parameters<ServerModule['serve']>[0][] = []
    const flags = ['--roles', 'api, engine', '--listen', '127.0.0.1:1', '--compute', 'simulated', '--sim-hosts', '3']
    const more = ['--sim-guests', '9', '--sim-seed', '7', '--insecure-no-auth', '--import-conf', 'masakari.conf']
    const served = runCommand(['serve', ...flags, ...more, ...CONFIGURATION], {
      env: { A: 'b' },
      signal: stop.signal,
      clock,
      server: {
        serve: async (options) => {
          asked.push(options)
          return server
        },
      },
      onOutput: (stdout) => {
        if (stdout.includes('/tmp/x')) stop.abort()
      },
    })
    expect(await served).toEqual({ code: 0, stdout: 'serves http://127.0.0.1:1\n  data  /tmp/x\n', stderr: '' })
    expect(server.stops).toBe(1)
    expect(asked).toEqual([
      {
        config: 'a.toml',
        importConf: 'masakari.conf',
        set: ['log.level=warn', 'store.url=x=y'],
        dataDir: '/d',
        env: { A: 'b' },
        signal: stop.signal,
        clock: expect.anything(),
        roles: ['api', 'engine'],
        listen: '127.0.0.1:1',
        compute: 'simulated',
        simHosts: 3,
        simGuests: 9,
        simSeed: 7,
        insecureNoAuth: true,
      },
    ])
    expect(asked[0]?.clock).toBe(clock)
  })

  test('a server that ends by itself makes the command fail with its reason', async () => {
    const server = running(Promise.reject(new Error('the disk is full')))
    const outcome = await runCommand(['serve'], { server: { serve: async () => server } })
    expect(outcome).toMatchObject({ code: 1, stderr: 'mainstay: the disk is full\n' })
    expect(server.stops).toBe(1)
  })

  test.each([['--compute', 'magic'], ['--sim-hosts', 'many'], ['stray']])('refuses %s %s', async (...argv) => {
    expect(await runCommand(['serve', ...argv.filter((word) => word !== undefined)])).toMatchObject({ code: 2 })
  })
})

test('agent passes on what the flags and the environment say', async () => {
  const clock = new SystemClock()
  const asked: Parameters<ServerModule['runAgent']>[0][] = []
  const flags = ['--monitors', 'instance,host', '--spool-dir', '/s', '--libvirt-socket', '/l', '--hostname', 'h1']
  const { code } = await runCommand(['agent', ...flags], {
    env: { MAINSTAY_ENDPOINT: 'http://h' },
    signal: AbortSignal.abort(),
    clock,
    server: {
      runAgent: async (options) => {
        asked.push(options)
        return running()
      },
    },
  })
  expect(code).toBe(0)
  expect(asked).toMatchObject([
    { monitors: ['instance', 'host'], endpoint: 'http://h', spoolDir: '/s', libvirtSocket: '/l', hostname: 'h1' },
  ])
  expect(asked[0]?.clock).toBe(clock)
})

test('demo prints what the simulation tells', async () => {
  const { code, stdout } = await runCommand(['demo', '--hosts', '3', '--seed', '7', '--timeout', '2m'], {
    server: {
      runDemo: async ({ hosts, guests, seed, timeoutMs, terminal, print }) => {
        print(`${hosts} ${guests} ${seed} ${timeoutMs} ${terminal}\n`)
        return { recovered: true, text: 'finished' }
      },
    },
  })
  expect({ code, stdout }).toEqual({ code: 0, stdout: '3 120 7 120000 false\n' })
})

test('demo fails, with the reason, when its recovery does', async () => {
  const { code, stderr } = await runCommand(['demo'], {
    server: { runDemo: async () => ({ recovered: false, text: 'no host has room' }) },
  })
  expect({ code, stderr }).toEqual({
    code: 1,
    stderr: 'mainstay: The recovery of the demonstration failed: no host has room\n',
  })
})

describe('migrate', () => {
  test.each([
    [[], ['0001-a', '0002-b'], 'Ran 0001-a\nRan 0002-b\n'],
    [['--dry-run'], ['0001-a'], 'Would run 0001-a\n'],
    [[], [], 'The database is up to date.\n'],
  ])('%j with %j', async (flags, names, stdout) => {
    const asked: boolean[] = []
    const outcome = await runCommand(['migrate', ...flags, ...CONFIGURATION], {
      server: {
        migrate: async ({ dryRun }) => {
          asked.push(dryRun)
          return names
        },
      },
    })
    expect(outcome).toEqual({ code: 0, stdout, stderr: '' })
    expect(asked).toEqual([flags.length > 0])
  })
})

describe('purge (ha-api 22)', () => {
  test.each([
    [[], { ageInDays: 30, maxRows: -1, dryRun: false }, 'vmoves: 2\nhosts: 1\nRemoved 3 records.\n'],
    [
      ['--age_in_days', '7', '--max_rows', '10', '--dry-run'],
      { ageInDays: 7, maxRows: 10, dryRun: true },
      'vmoves: 2\nhosts: 1\nWould remove 3 records.\n',
    ],
  ])('%j', async (flags, expected, stdout) => {
    const asked: unknown[] = []
    const outcome = await runCommand(['purge', ...flags], {
      server: {
        purge: async (options) => {
          asked.push(options)
          return { vmoves: 2, hosts: 1 }
        },
      },
    })
    expect(outcome).toEqual({ code: 0, stdout, stderr: '' })
    expect(asked).toMatchObject([expected])
  })

  test.each([
    ['--max-rows', '0'],
    ['--max-rows', '-2'],
    ['--age-in-days', '-1'],
  ])('refuses %s %s', async (...flags) => {
    expect(await runCommand(['purge', ...flags])).toMatchObject({ code: 2, stdout: '' })
  })
})

describe('check', () => {
  const GOOD: CheckResult = { name: 'database', ok: true, text: 'SQLite' }
  const BAD: CheckResult = { name: 'nova', ok: false, text: 'refused the token', remedy: 'Renew it.' }

  async function* results(...all: readonly CheckResult[]): AsyncGenerator<CheckResult> {
    yield* all
  }

  test('is one line each when all is well', async () => {
    const outcome = await runCommand(['check'], { server: { check: () => results(GOOD) } })
    expect(outcome).toEqual({ code: 0, stdout: 'ok      database      SQLite\n', stderr: '' })
  })

  test('names the remedy and fails when something is not', async () => {
    const outcome = await runCommand(['check'], { server: { check: () => results(GOOD, BAD) } })
    const stdout =
      'ok      database      SQLite\nFAILED  nova          refused the token\n                      Renew it.\n'
    expect(outcome).toEqual({ code: 1, stdout, stderr: 'mainstay: Not usable: nova.\n' })
  })

  test('can be read by a program', async () => {
    const { code, stdout } = await runCommand(['check', '-f', 'json'], { server: { check: () => results(BAD) } })
    expect(code).toBe(1)
    expect(JSON.parse(stdout)).toEqual([BAD])
  })
})

test.each(['serve', 'agent', 'demo', 'migrate', 'purge', 'check'])(
  '%s says when it is not part of the build',
  async (name) => {
    const { code, stderr } = await runCommand([name])
    expect(code).toBe(1)
    expect(stderr).toMatch(/^mainstay: This version of mainstay does not have ".*" yet/)
  },
)
