import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'

import { parseJson } from '../core/json.ts'
import { labelOptions } from '../pool/testing/counts.ts'
import { servePool, type ServedPool } from '../pool/testing/served-pool.ts'
import { runCommand, type CommandOutcome } from './testing/run-command.ts'

// Every test has a pool of its own, which takes its time on a busy machine.
vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 })

let pool: ServedPool

beforeEach(async () => {
  pool = await servePool({
    groups: [{ id: 'g', maxTotal: 3, labels: ['linux'] }],
    labels: [labelOptions({ label: 'g', minReady: 1 })],
    everybodyIsAdmin: true,
  })
  await vi.waitUntil(async () => (await pool.store.list({ states: ['ready'], limit: 9 })).vms.length === 1, {
    timeout: 20_000,
  })
})

afterEach(async () => {
  await pool[Symbol.asyncDispose]()
})

async function mainstay(...argv: readonly string[]): Promise<CommandOutcome> {
  return await runCommand(['pool', ...argv], { env: { MAINSTAY_ENDPOINT: pool.url } })
}

async function json(...argv: readonly string[]): Promise<unknown> {
  const { code, stdout, stderr } = await mainstay(...argv, '-f', 'json')
  expect([code, stderr]).toEqual([0, ''])
  return parseJson(stdout, 'the output')
}

interface Lease {
  readonly name: string
  readonly token: string
}

describe('mainstay pool (C15)', () => {
  test('C15 acquire, heartbeat, show, release', async () => {
    const { name, token } = (await json('acquire', '--label', 'linux', '--worker', 'me', '--task', 't1')) as Lease
    expect(await json('show', name)).toMatchObject({ name, state: 'in_use', worker: 'me', task_id: 't1', group: 'g' })
    expect((await mainstay('heartbeat', name, '--token', token)).stdout).toMatch(
      /^The lease on vm-g-\w+ lasts another \d{5} ms\n$/,
    )
    expect((await mainstay('release', name, '--token', token)).stdout).toBe(`Given back: ${name}, which is ready now\n`)
  })

  test('C15 exit codes: refused by a rule 3, wrong usage 2, nothing there 1, no server 4', async () => {
    const { name } = (await json('acquire')) as Lease
    const refused = await mainstay('release', name, '--token', 'nonsense')
    expect([refused.code, refused.stderr]).toEqual([3, expect.stringContaining('is not yours any more')])
    expect((await mainstay('acquire', '--group', 'g', '--count', '3')).code, 'none free').toBe(3)
    const never = await mainstay('acquire', '--label', 'nope')
    expect([never.code, never.stderr]).toEqual([3, expect.stringContaining('can never be served')])
    expect((await mainstay('drain', 'planet:earth', '--reason', 'r')).code).toBe(2)
    expect((await mainstay('hold', 'x', '--on-failure', '--reason', 'r')).code).toBe(2)
    expect((await mainstay('show', 'nothing')).code).toBe(1)
    expect((await runCommand(['pool', 'list'], { env: { MAINSTAY_ENDPOINT: 'http://127.0.0.1:1' } })).code).toBe(4)
  })

  test('C15 a list of a group that is not there is an error, of an empty one an empty list', async () => {
    const nope = await mainstay('list', '--group', 'nope')
    expect([nope.code, nope.stdout, nope.stderr]).toEqual([
      1,
      '',
      expect.stringContaining('The pool has no group nope'),
    ])
    expect(await json('list', '--group', 'g', '--state', 'held')).toEqual([])
  })

  test('C15 --dry-run says what would be asked, and does nothing', async () => {
    const [vm] = (await json('list')) as Lease[]
    const { stdout, code } = await mainstay('drain', vm!.name, '--reason', 'test', '--dry-run')
    expect([code, stdout]).toEqual([
      0,
      `Would drain ${vm!.name}. Nothing was changed.\nPOST ${pool.url}/api/v1/pools/vms/${vm!.name}/drain\n{"mode":"terminate","reason":"test"}\n`,
    ])
    expect((await mainstay('acquire', '--dry-run')).stdout).toContain('Would take a machine')
    expect((await mainstay('release', vm!.name, '--token', 't', '--dry-run')).stdout).toContain(
      `Would give ${vm!.name} back`,
    )
    expect(await json('list')).toMatchObject([{ name: vm!.name, state: 'ready' }])
    expect(pool.audits).toEqual([])
  })

  test('C12 C15 hold, unhold, drain, undrain, recheck, delete', async () => {
    const { name, token } = (await json('acquire')) as Lease
    expect((await mainstay('hold', name, '--reason', 'look', '--for', '1h')).stdout).toBe(`On hold: ${name}\n`)
    expect((await mainstay('release', name, '--token', token)).stdout).toContain('which is held now')
    expect((await mainstay('unhold', name, '--reason', 'seen')).code).toBe(0)
    expect((await mainstay('recheck', name, '--reason', 'sure?')).stdout).toBe(`To be checked: ${name}\n`)
    expect((await mainstay('drain', name, '--mode', 'keep', '--reason', 'rest')).code).toBe(0)
    expect((await mainstay('undrain', name, '--reason', 'enough')).code).toBe(0)
    expect((await mainstay('delete', name, '--reason', 'old')).stdout).toBe(`Destroyed: ${name}\n`)
    expect(pool.audits.map(({ action }) => action)).toEqual(['hold', 'unhold', 'recheck', 'drain', 'undrain', 'delete'])
  })

  test('C15 a machine in use is destroyed only with --force', async () => {
    const { name } = (await json('acquire', '--worker', 'me')) as Lease
    const refused = await mainstay('delete', name, '--reason', 'r')
    expect([refused.code, refused.stderr]).toEqual([3, expect.stringContaining('is used by me')])
    expect((await mainstay('delete', name, '--reason', 'r', '--force')).code).toBe(0)
  })

  test('C15 adopt, and destroying what nobody made', async () => {
    expect((await mainstay('adopt', 'mine', '--group', 'g', '--ip', '192.0.2.9', '--reason', 'r')).code).toBe(0)
    expect(await json('show', 'mine')).toMatchObject({ ip: '192.0.2.9', provider: null })
    expect((await mainstay('adopt', 'mine', '--group', 'g', '--ip', '192.0.2.9', '--reason', 'r')).code).toBe(3)
  })

  test('C12 C15 what nobody could ever meet, and an address that is none, are refused in words', async () => {
    const group = await mainstay('hold', 'group:nope', '--on-failure', '--reason', 'r')
    expect([group.code, group.stderr]).toEqual([1, expect.stringContaining('The pool has no group nope.')])
    const label = await mainstay('hold', 'label:nope', '--on-failure', '--reason', 'r')
    expect([label.code, label.stderr]).toEqual([1, expect.stringContaining('No group of the pool carries the label')])
    const address = await mainstay('adopt', 'mine', '--group', 'g', '--ip', 'example.com', '--reason', 'r')
    expect([address.code, address.stderr]).toEqual([1, expect.stringContaining('"example.com" is not an address.')])
  })

  test('C4 C15 requests, reorder, cancel', async () => {
    for (const requestId of ['r1', 'r2']) {
      const wish = { requestId, owner: 'o', worker: 'w', groups: ['g'], count: 3, waitMs: 600_000 }
      await pool.pool.manager.acquire(wish, { signal: AbortSignal.timeout(9999), untilMs: 0 })
    }
    // The first gets the machines as soon as they are made; the second waits for them.
    await vi.waitUntil(async () => (await pool.store.request('r1'))?.status === 'granted', { timeout: 20_000 })
    expect(await json('requests')).toMatchObject([{ id: 'r2', count: 3, groups: ['g'] }])
    expect((await mainstay('reorder', 'r2', '--priority', '9', '--reason', 'r')).stdout).toBe('Moved: r2\n')
    expect(await json('requests')).toMatchObject([{ id: 'r2', priority: 9 }])
    expect((await mainstay('explain', 'r2')).stdout).toContain('The request r2 waits')
    expect((await mainstay('cancel', 'r2', '--reason', 'r')).stdout).toBe('Cancelled: r2\n')
    expect(await json('requests')).toEqual([])
  })

  test('C14 C15 plan, explain, stats, providers, reconcile', async () => {
    expect((await mainstay('plan')).stdout).toContain('Nothing is to be done.')
    const [vm] = (await json('list')) as Lease[]
    expect((await mainstay('explain', vm!.name)).stdout).toContain(
      `The machine ${vm!.name} would be handed to anybody.`,
    )
    expect(await json('stats')).toMatchObject([{ group: 'g', free: 1, ready: 1, in_use: 0 }])
    expect((await mainstay('stats')).stdout).toContain('Led by test.')
    expect(await json('providers')).toMatchObject([{ name: 'sim', not_asked_because: null }])
    expect((await mainstay('enable', 'sim', '--reason', 'r')).code).toBe(0)
    expect(await json('reconcile', '--reason', 'look', '--dry-run')).toEqual([])
  })

  test.each(['yaml', 'csv', 'value'])('C15 lists print as %s', async (format) => {
    const { code, stdout } = await mainstay('list', '-f', format, '-c', 'group', '-c', 'state')
    expect([code, stdout]).toEqual([0, expect.stringMatching(/g["', \n:-]+(state: )?["']?ready/)])
  })

  test('C15 watch prints each change until it is interrupted', async () => {
    const stop = new AbortController()
    let seen = ''
    const watching = runCommand(['pool', 'watch'], {
      env: { MAINSTAY_ENDPOINT: pool.url },
      signal: stop.signal,
      onOutput: (stdout) => void (seen = stdout),
    })
    // The watch may begin after the first one.
    await vi.waitUntil(
      async () => {
        const { name, token } = (await json('acquire', '--wait', '20s')) as Lease
        await mainstay('release', name, '--token', token)
        return seen.includes('pool.vm.acquired')
      },
      { timeout: 20_000 },
    )
    stop.abort(new Error('enough'))
    expect((await watching).code).toBe(0)
    expect(seen).toMatch(/^\S+Z {2}pool\.vm\.acquired {2}vm-g-\w+ {2}ready -> in_use {2}\w+$/m)
  })

  test('C5 acquire --keep gives the machine back when it is interrupted', async () => {
    const stop = new AbortController()
    const shown = Promise.withResolvers<void>()
    const keeping = runCommand(['pool', 'acquire', '--keep'], {
      env: { MAINSTAY_ENDPOINT: pool.url },
      signal: stop.signal,
      // The machine is in use before the client knows of it; what it has shown it holds.
      onOutput: (stdout) => {
        if (stdout.includes('vm-g-')) shown.resolve()
      },
    })
    const inUse = async (): Promise<number> => (await pool.store.list({ states: ['in_use'], limit: 9 })).vms.length
    await shown.promise
    expect(await inUse()).toBe(1)
    stop.abort(new Error('enough'))
    const { code, stderr } = await keeping
    expect([code, stderr]).toEqual([0, expect.stringMatching(/^mainstay: gave vm-g-\w+ back\n$/)])
    expect(await inUse()).toBe(0)
  })

  /** `acquire --keep` of two machines, once it holds them; their names, and how it ends. */
  async function keepTwo(): Promise<{ readonly names: readonly string[]; readonly outcome: Promise<CommandOutcome> }> {
    const shown = Promise.withResolvers<string>()
    const argv = ['pool', 'acquire', '--count', '2', '--wait', '20s', '--lease', '3s', '--keep', '-f', 'value']
    const outcome = runCommand([...argv, '-c', 'name'], {
      env: { MAINSTAY_ENDPOINT: pool.url },
      onOutput: (stdout) => {
        if (stdout.match(/vm-g-\w+\n/g)?.length === 2) shown.resolve(stdout)
      },
    })
    return { names: (await shown.promise).trim().split('\n'), outcome }
  }

  test('C5 acquire --keep of which one machine is lost gives the others back, says which, and exits 3', async () => {
    const { names, outcome } = await keepTwo()
    const [lost, kept] = names as [string, string]
    expect((await mainstay('delete', lost, '--reason', 'r', '--force')).code).toBe(0)
    const { code, stderr } = await outcome
    expect(stderr).toContain(`mainstay: gave ${kept} back\n`)
    expect(stderr).toContain(`The lease on the machine ${lost} is lost`)
    expect(stderr).not.toContain(`gave ${lost} back`)
    expect(code).toBe(3)
    expect((await pool.store.list({ states: ['in_use'], limit: 9 })).vms).toEqual([])
  })

  test('C5 acquire --keep of which all machines are lost says so of each', async () => {
    const { names, outcome } = await keepTwo()
    for (const name of names) await pool.pool.operator.delete([name], { force: true, reason: 'r' })
    const { code, stderr } = await outcome
    for (const name of names)
      expect(stderr).toMatch(new RegExp(`The lease on the machine ${name} is lost|gave ${name} back`))
    expect([code, stderr]).toEqual([3, expect.stringContaining('is lost')])
  })
})
