import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'

import { isSigned, receiver } from '../events/webhooks/testing/receiver.ts'
import { loadServer } from './load-server.ts'
import { runCommand, type CommandOutcome, type CommandSetting } from './testing/run-command.ts'

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })
const PATIENT = { timeout: 30_000, interval: 10 }

let directory: string
let endpoint: string
let served: Promise<CommandOutcome>
const stop = new AbortController()

/** The product in this process, with events that happen when a test says so. */
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mainstay-cli-events-'))
  const listening = Promise.withResolvers<string>()
  const set = [
    'log.level=silent',
    'events.store=memory',
    'events.webhooks.allowed_networks=["127.0.0.1"]',
    'events.webhooks.retry_waits_ms=[1]',
    'compute.simulated_hosts=1',
    'compute.simulated_guests=0',
  ].flatMap((assignment) => ['--set', assignment])
  served = runCommand(['serve', '--listen', '127.0.0.1:0', '--data-dir', directory, ...set], {
    server: await loadServer(),
    signal: stop.signal,
    onOutput: (stdout) => {
      const address = /http:\/\/\S+:\d+/.exec(stdout)
      if (address !== null) listening.resolve(address[0])
    },
  })
  served.then((outcome) => listening.reject(new Error(`serve ended: ${outcome.stderr}`)), listening.reject)
  endpoint = await listening.promise
})

afterAll(async () => {
  stop.abort()
  await served
  await rm(directory, { recursive: true, force: true })
})

async function mainstay(argv: readonly string[], setting: CommandSetting = {}): Promise<CommandOutcome> {
  return await runCommand(['events', ...argv], { env: { MAINSTAY_ENDPOINT: endpoint }, ...setting })
}

async function output(...argv: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await mainstay(argv)
  expect({ argv, code, stderr }).toEqual({ argv, code: 0, stderr: '' })
  return stdout
}

let count = 0

/** A machine of this name changes its power. @returns the id of the event */
async function happen(node: string, type = 'baremetal.node.power_set.end'): Promise<string> {
  count += 1
  const id = `00000000-0000-4000-8000-${String(count).padStart(12, '0')}`
  const body = {
    priority: 'INFO',
    event_type: type,
    timestamp: '2026-01-01T00:00:00Z',
    publisher_id: 'p',
    message_id: id,
    payload: { 'ironic_object.data': { name: node, uuid: `u-${node}`, power_state: 'on' } },
  }
  const headers = { 'content-type': 'application/json' }
  const answer = await fetch(`${endpoint}/v1/notifications/baremetal`, {
    method: 'POST',
    headers,
    body: JSON.stringify(body),
  })
  expect(answer.status).toBe(204)
  return id
}

describe('events history and show', () => {
  let ids: string[]

  beforeAll(async () => {
    ids = []
    for (const node of ['h1', 'h2', 'h3']) ids.push(await happen(node))
    ids.push(await happen('h3', 'baremetal.node.maintenance_set.end'))
  })

  test('the newest first, as many as wanted, only what is wanted', async () => {
    const names = ['--node', 'h?', '-f', 'value', '-c', 'node_name']
    expect(await output('history', ...names)).toBe('h3\nh3\nh2\nh1\n')
    expect(await output('history', ...names, '--order', 'asc', '--limit', '2')).toBe('h1\nh2\n')
    expect(await output('history', ...names, '--event', '**.power_set.*', '--event', '!**.x')).toBe('h3\nh2\nh1\n')
    expect(await output('history', ...names, '--severity', 'error')).toBe('')
    const cursor = (await output('history', '--node', 'h2', '-f', 'value', '-c', 'cursor')).trim()
    expect(await output('history', ...names, '--since', cursor)).toBe('h3\nh3\n')
    expect(await output('history', ...names, '--until', cursor)).toBe('h2\nh1\n')
  })

  test('in every format', async () => {
    const json = JSON.parse(await output('history', '--node', 'h1', '-f', 'json', '-c', 'data', '-c', 'id')) as unknown
    expect(json).toMatchObject([{ id: ids[0], data: { resource_id: 'u-h1' } }])
    expect(await output('history', '--node', 'h1')).toMatch(/\| baremetal\.node\.power_set\.end +\| h1 /)
  })

  test('one by its id', async () => {
    expect(await output('show', ids[1]!, '-f', 'value', '-c', 'node_name')).toBe('h2\n')
    const missing = await mainstay(['show', 'no-such-event'])
    expect(missing).toMatchObject({ code: 1, stderr: expect.stringContaining('There is no event no-such-event') })
  })

  test.each([
    [['--since', 'yesterday'], 1, 'since must be'],
    [['--since', 'another:5'], 1, 'History was lost'],
    [['--order', 'up'], 2, 'asc|desc'],
    [['--severity', 'loud'], 2, 'loud'],
    [['--limit', 'all'], 2, 'whole number'],
  ])('%j is refused', async (flags, code, message) => {
    expect(await mainstay(['history', ...flags])).toMatchObject({ code, stderr: expect.stringContaining(message) })
  })
})

describe('events tail', () => {
  /** Tails until it is told to end. @returns its outcome, and what it has printed so far */
  function tail(...argv: readonly string[]): {
    outcome: Promise<CommandOutcome>
    printed: () => string
    end: () => void
  } {
    const enough = new AbortController()
    let printed = ''
    const outcome = mainstay(['tail', ...argv], { signal: enough.signal, onOutput: (text) => (printed = text) })
    return { outcome, printed: () => printed, end: () => enough.abort() }
  }

  async function connected(): Promise<string> {
    await expect.poll(async () => await output('connections', '-f', 'value', '-c', 'state'), PATIENT).toBe('live\n')
    return (await output('connections', 'list', '-f', 'value', '-c', 'id')).trim()
  }

  test.each(['websocket', 'sse', 'auto'])(
    'prints what happens from now on, over %s, until it is interrupted',
    async (transport) => {
      const tailing = tail('--transport', transport, '-f', 'value', '-c', 'node_name', '--node', 't*')
      await connected()
      await happen('other')
      for (const node of ['t1', 't2']) await happen(node)
      await expect.poll(tailing.printed, PATIENT).toBe('t1\nt2\n')
      tailing.end()
      expect(await tailing.outcome).toEqual({ code: 0, stdout: 't1\nt2\n', stderr: '' })
      await expect.poll(async () => await output('connections', '-f', 'json', '--noindent'), PATIENT).toBe('[]\n')
    },
  )

  test('begins where it is told to, and ends after so many', async () => {
    for (const node of ['b1', 'b2', 'b3']) await happen(node)
    const flags = ['--since', 'earliest', '--node', 'b*', '--limit', '2']
    const column = ['-c', 'node_name']
    expect(await output('tail', ...flags, '-f', 'value', ...column)).toBe('b1\nb2\n')
    expect(await output('tail', ...flags, '-f', 'json', ...column)).toBe('{"node_name":"b1"}\n{"node_name":"b2"}\n')
    expect(await output('tail', ...flags, '-f', 'yaml', ...column)).toBe('- node_name: b1\n- node_name: b2\n')
    expect(await output('tail', ...flags, '-f', 'csv', ...column)).toBe('"node_name"\n"b1"\n"b2"\n')
    expect(await output('tail', ...flags, ...column, '-c', 'severity')).toBe('info      b1\ninfo      b2\n')
    expect(await output('tail', '--limit', '0')).toBe('')
  })

  test('ends when the time is over', async () => {
    expect(await output('tail', '--for', '50ms', '--node', 'nobody')).toBe('')
  })

  test('shows what a terminal would obey instead of doing it', async () => {
    await happen('z\u001B[31m')
    const line = await output('tail', '--since', 'earliest', '--node', 'z*', '--limit', '1', '-c', 'node_name')
    expect(line).toBe('z\\x1b[31m\n')
  })

  test('is ended by an admin: exit 3', async () => {
    const tailing = tail('--node', 'nobody')
    const id = await connected()
    expect(await output('connections', 'close', '--dry-run', id)).toContain(
      `DELETE ${endpoint}/v1/events/connections/${id}`,
    )
    expect(await output('connections', 'close', id)).toBe(`Connection closed: ${id}\n`)
    const { code, stderr } = await tailing.outcome
    expect({ code, stderr }).toEqual({ code: 3, stderr: expect.stringContaining('4403') })
    expect((await mainstay(['connections', 'close', id])).code).toBe(1)
  })

  test('says that there is no stream at all', async () => {
    const env = { MAINSTAY_ENDPOINT: 'ftp://nowhere/' }
    expect(await mainstay(['tail'], { env })).toMatchObject({ code: 2, stderr: expect.stringContaining('no http') })
  })
})

describe('events webhooks', () => {
  test('from the first delivery to the end', async () => {
    await using hook = await receiver()
    const created = await output('webhooks', 'create', hook.url, '--node', 'w*', '--description', 'd', '-f', 'json')
    const { id, secret, filters } = JSON.parse(created) as { id: string; secret: string; filters: object }
    expect(filters).toMatchObject({ node_filters: ['w*'] })
    const first = await happen('w1')
    await expect.poll(() => hook.ids, PATIENT).toEqual([first])
    expect(isSigned(hook.deliveries[0]!, secret)).toBe(true)
    expect(await output('webhooks', '-f', 'value', '-c', 'url', '-c', 'active')).toBe(`${hook.url} True\n`)
    expect(await output('webhooks', 'show', id)).not.toContain(secret)

    hook.reply(() => 500)
    const lost = await happen('w2')
    await expect
      .poll(async () => await output('webhooks', 'show', id, '-f', 'value', '-c', 'dead_letters'), PATIENT)
      .toBe('1\n')
    const letters = await output('webhooks', 'dead-letters', id, '-f', 'value', '-c', 'event_id', '-c', 'reason')
    expect(letters).toBe(`${lost} the receiver answered 500\n`)
    expect(await mainstay(['webhooks', 'redeliver', id])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('was not taken'),
    })
    hook.reply(() => 204)
    expect(await output('webhooks', 'redeliver', id, '--dry-run')).toContain('Would send 1 dead letters')
    expect(await output('webhooks', 'redeliver', id)).toBe('Delivered: 1\n')

    const rotated = await output('webhooks', 'update', id, '--rotate-secret', '-f', 'value', '-c', 'secret')
    expect(rotated).toMatch(/^whsec_/)
    expect(
      await output(
        'webhooks',
        'update',
        id,
        '--all-events',
        '--active',
        'false',
        '-f',
        'json',
        '-c',
        'filters',
        '-c',
        'active',
      ),
    ).toContain('"active": false')
    expect(await output('webhooks', 'delete', id, '--dry-run')).toContain(`Would delete the webhook to ${hook.url}`)
    expect(await output('webhooks', 'delete', id)).toBe(`Webhook deleted: ${id}\n`)
    expect(await output('webhooks', 'list', '-f', 'json', '--noindent')).toBe('[]\n')
  })

  test('in a dry run nothing is made, and no secret printed', async () => {
    const argv = [
      'webhooks',
      'create',
      'https://hooks.example.org/',
      '--secret',
      'my-own-secret-my-own-secret',
      '--dry-run',
    ]
    const planned = await output(...argv)
    expect(planned).toContain(`POST ${endpoint}/v1/events/webhooks`)
    expect(planned).not.toContain('my-own-secret')
    expect(await output('webhooks', '-f', 'json', '--noindent')).toBe('[]\n')
  })

  test.each([
    [['create', 'http://10.0.0.1/'], 1, 'private, link-local'],
    [['create'], 2, 'URL'],
    [['update', 'x'], 2, 'Say what is to be changed'],
    [['show', 'x'], 1, 'There is no webhook x'],
    [['create', 'http://127.0.0.1/', '--secret', 'short'], 1, 'secret'],
  ])('%j is refused', async (argv, code, message) => {
    expect(await mainstay(['webhooks', ...argv])).toMatchObject({ code, stderr: expect.stringContaining(message) })
  })
})
