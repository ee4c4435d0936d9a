import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { Cluster, type ManagedServer } from '@mainstay/testkit'
import { createClient, openEventStream, type EventStream, type StreamedEvent } from 'mainstay/client'
import { serveSpec } from 'mainstay/testkit'
import { describe, expect, test } from 'vitest'

import { isSigned, receiver, type Receiver } from '../../packages/mainstay/src/events/webhooks/testing/receiver.ts'
import { needPostgres } from '../engines/support/private-postgres.ts'
import { waitUntil } from '../real/lab/wait-until.ts'
import { startMainstay } from '../support/mainstay-process.ts'
import { type ManagedProcess, startProgram } from '../support/managed-process.ts'
import { Reporter } from './support/event-nodes.ts'

const PATIENCE = { timeoutMs: 60_000 }

const QUIET = {
  compute: { simulated_hosts: 1, simulated_guests: 0 },
  log: { level: 'trace', format: 'json' },
  events: {
    stream: { reconnect_spread_ms: 200, bookmark_ms: 300 },
    webhooks: { allowed_networks: ['127.0.0.1'], retry_waits_ms: [50, 100, 200, 400, 800, 1600], look_ms: 200 },
  },
}

/** One `mainstay serve` with its embedded stores. */
async function startOne(dataDir?: string): Promise<{ cluster: Cluster; server: ManagedServer }> {
  const spec = serveSpec({ config: QUIET, ...(dataDir === undefined ? {} : { dataDir }) })
  const cluster = await Cluster.create({ name: 'event-client', servers: [spec] })
  await cluster.startAll()
  return { cluster, server: cluster.get('mainstay') }
}

/** Keeps everything that a stream hands out. */
function keep(
  endpoint: string,
  transport: 'websocket' | 'sse' | 'auto',
): { stream: EventStream; events: StreamedEvent[] } {
  const events: StreamedEvent[] = []
  const stream = openEventStream({
    endpoint,
    transport,
    since: 'earliest',
    reconnect: { maxDelayMs: 1000 },
    onEvent: (event) => void events.push(event),
  })
  return { stream, events }
}

/** Waits until everything that was acknowledged is there, and says that it is there once and in order. */
async function expectAll(
  acknowledged: readonly string[],
  seen: () => readonly { seq: number; id: string }[],
): Promise<void> {
  const wanted = new Set(acknowledged)
  const there = (): Set<string> => new Set(seen().map(({ id }) => id))
  await waitUntil(() => wanted.isSubsetOf(there()), { ...PATIENCE, what: 'every acknowledged event' })
  const seqs = seen().map(({ seq }) => seq)
  expect(seqs).toEqual(Array.from({ length: seqs.length }, (_, index) => index + 1))
}

describe('the stream client against a real server', { timeout: 180_000 }, () => {
  test('E-201 E-203 R40 shows every event once and in order, over kills and restarts of the server, on both transports', async () => {
    const { cluster, server } = await startOne()
    await using _cluster = cluster
    await using reporter = new Reporter(() => [server.url])
    const kept = (['websocket', 'sse', 'auto'] as const).map((transport) => keep(server.url, transport))
    await using _streams = {
      [Symbol.asyncDispose]: async () => void (await Promise.all(kept.map(async ({ stream }) => await stream.close()))),
    }
    const { url } = server
    for (let round = 0; round < 2; round += 1) {
      await reporter.more(40)
      await server.kill()
      await server.start()
      await reporter.more(40)
      await server.restart()
    }
    expect(server.url).toBe(url)
    await reporter.more(40)
    await reporter.stop()
    for (const { events } of kept) await expectAll(reporter.acknowledged, () => events)
  })

  test('E-211 R40 obeys new filters, and history and stream fit together without a gap', async () => {
    const { cluster, server } = await startOne()
    await using _cluster = cluster
    await using reporter = new Reporter(() => [server.url])
    await reporter.more(20)
    const client = createClient({ endpoint: server.url })
    const past = await Array.fromAsync(client.events.history({ limit: 15 }))
    const after = past.at(-1)!.cursor
    await using stream = openEventStream({ endpoint: server.url, since: after })
    const seqs = past.map(({ seq }) => seq)
    for await (const { seq } of stream) {
      seqs.push(seq)
      if (seq >= 30) break
    }
    expect(seqs).toEqual(Array.from({ length: 30 }, (_, index) => index + 1))
    const none: string[] = []
    await using changing = openEventStream({ endpoint: server.url, onEvent: ({ id }) => void none.push(id) })
    await waitUntil(() => none.length > 5, { ...PATIENCE, what: 'some events' })
    changing.setFilters({ event_filters: ['never.**'] })
    const [id] = (await client.events.connections()).map((each) => each.id)
    await waitUntil(
      async () => {
        const found = (await client.events.connections()).find((each) => each.id === id)
        return found?.filters.event_filters?.[0] === 'never.**'
      },
      { ...PATIENCE, what: 'the filter to hold' },
    )
    const cursor = changing.cursor
    const before = none.length
    await reporter.more(20)
    await waitUntil(() => changing.cursor !== cursor, { ...PATIENCE, what: 'a bookmark' })
    expect(none.length - before).toBeLessThanOrEqual(1)
  })

  test('R40 a program that follows is killed and started again where it was; the server too', async () => {
    const { cluster, server } = await startOne()
    await using _cluster = cluster
    await using reporter = new Reporter(() => [server.url])
    const printed: { cursor: string; seq: number; id: string }[] = []
    const argv = ['events', 'tail', '--endpoint', server.url, '-f', 'json', '-c', 'cursor', '-c', 'seq', '-c', 'id']
    const follow = async (since: string): Promise<ManagedProcess> => {
      const tail = await startMainstay([...argv, '--since', since])
      await waitUntil(() => tail.lines().length >= 20, { ...PATIENCE, what: 'lines of the program' })
      return tail
    }
    const linesOf = (tail: ManagedProcess): typeof printed =>
      tail.lines().map((line) => JSON.parse(line) as (typeof printed)[number])
    const first = await follow('earliest')
    await first.kill()
    printed.push(...linesOf(first))
    const second = await follow(printed.at(-1)!.cursor)
    await server.restart()
    const before = second.lines().length
    await waitUntil(() => second.lines().length >= before + 20, { ...PATIENCE, what: 'lines after the restart' })
    expect(second.printed()).toContain('The event stream is back.')
    await second.kill()
    printed.push(...linesOf(second))
    const third = await follow(printed.at(-1)!.cursor)
    await reporter.stop()
    await expectAll(reporter.acknowledged, () => [...printed, ...linesOf(third)])
    expect((await third.stop('SIGINT')).code).toBe(0)
  })
})

test('R40 the example of docs/how-to/event-stream.md prints what happens', { timeout: 60_000 }, async () => {
  const { cluster, server } = await startOne()
  await using _cluster = cluster
  const example = fileURLToPath(new URL('../support/examples/follow-events.ts', import.meta.url))
  const env = { MAINSTAY_ENDPOINT: server.url }
  await using following = await startProgram([process.execPath, example, 'earliest'], env)
  await using reporter = new Reporter(() => [server.url])
  await waitUntil(() => following.lines().length >= 3, { ...PATIENCE, what: 'lines of the example' })
  expect(following.lines()[0]).toBe('info baremetal.node.power_set.end node-1')
  await reporter.stop()
})

/** What a receiver was sent first, in that order: what is sent again comes later. */
function firstSeen({ ids }: Receiver): string[] {
  return [...new Set(ids)]
}

describe('webhooks of a real server', { timeout: 180_000 }, () => {
  test('E-221 everything arrives in order, over a receiver that fails and a server that is killed', async () => {
    const { cluster, server } = await startOne()
    await using _cluster = cluster
    await using hook = await receiver()
    hook.reply((_delivery, nth) => (nth % 7 === 0 ? 500 : 204))
    const client = createClient({ endpoint: server.url })
    const { secret } = await client.webhooks.create({ url: hook.url })
    await using reporter = new Reporter(() => [server.url])
    await reporter.more(30)
    await server.kill()
    await server.start()
    await reporter.more(30)
    await server.restart()
    await reporter.more(30)
    await reporter.stop()
    const history = (await Array.fromAsync(client.events.history())).map(({ id }) => id)
    await waitUntil(() => firstSeen(hook).length >= history.length, { ...PATIENCE, what: 'all deliveries' })
    expect(firstSeen(hook)).toEqual(history)
    expect(hook.deliveries.every((delivery) => isSigned(delivery, secret!))).toBe(true)
  })

  test('E-221 of two nodes one delivers, and the other goes on when it is killed', async (ctx) => {
    needPostgres(ctx)
    await using cluster = await Cluster.create({ name: 'webhook-nodes' })
    const [postgres, redis] = [cluster.component('postgres'), cluster.component('redis')]
    await Promise.all([postgres.start(), redis.start()])
    const config = {
      ...QUIET,
      store: { url: `postgres://postgres@127.0.0.1:${postgres.port}/postgres` },
      events: {
        ...QUIET.events,
        store: 'redis',
        redis_url: `redis://127.0.0.1:${redis.port}/0`,
        webhooks: { ...QUIET.events.webhooks, lease_ms: 2000 },
      },
    }
    const spec = { roles: ['api', 'events'], config, dependsOn: ['postgres', 'redis'] } as const
    for (const name of ['one', 'two']) cluster.add(serveSpec({ name, ...spec }))
    await cluster.startAll()
    const [one, two] = [cluster.get('one'), cluster.get('two')]
    await using hook = await receiver()
    const client = createClient({ endpoint: two.url })
    await client.webhooks.create({ url: hook.url })
    let up = [one, two]
    await using reporter = new Reporter(() => up.map(({ url }) => url))
    const delivering = async (node: ManagedServer): Promise<boolean> => {
      const figures = await (await fetch(`${node.url}/metrics`)).text()
      return figures.includes('mainstay_events_webhooks_delivering 1')
    }
    await reporter.more(20)
    await waitUntil(async () => (await delivering(one)) || (await delivering(two)), {
      ...PATIENCE,
      what: 'a node that delivers',
    })
    expect((await delivering(one)) && (await delivering(two))).toBe(false)
    // The one that delivers is killed.
    const [dying, staying] = (await delivering(one)) ? [one, two] : [two, one]
    up = [staying]
    await dying.kill()
    await reporter.more(20)
    await reporter.stop()
    await waitUntil(async () => await delivering(staying), { ...PATIENCE, what: 'the other node to take over' })
    const history = (await Array.fromAsync(createClient({ endpoint: staying.url }).events.history())).map(
      ({ id }) => id,
    )
    const wanted = history.slice(history.indexOf(firstSeen(hook)[0]!))
    await waitUntil(() => firstSeen(hook).length >= wanted.length, { ...PATIENCE, what: 'all deliveries' })
    expect(firstSeen(hook)).toEqual(wanted)
  })
})

test(
  'E-223 a secret in a notification reaches no frame, no delivery, no history, no file and no log',
  { timeout: 120_000 },
  async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'mainstay-secrets-'))
    await using _directory = { [Symbol.asyncDispose]: async () => await rm(dataDir, { recursive: true, force: true }) }
    const { cluster, server } = await startOne(dataDir)
    await using _cluster = cluster
    await using hook = await receiver()
    const client = createClient({ endpoint: server.url })
    await client.webhooks.create({ url: hook.url })
    const { stream, events } = keep(server.url, 'auto')
    await using _stream = stream
    const secrets = ['hunter2-in-plain-sight', 'tok-3n-in-context', 'k3y-in-driver-info', 'conf1g-dr1ve']
    const [password, token, key, drive] = secrets
    const message = {
      priority: 'INFO',
      event_type: 'baremetal.node.create.end',
      timestamp: '2026-01-01T00:00:00Z',
      publisher_id: 'p',
      message_id: '11111111-1111-4111-8111-111111111111',
      _context_auth_token: token,
      payload: {
        _context_auth_token: token,
        'ironic_object.data': {
          name: 'n1',
          uuid: 'u1',
          provision_state: 'enroll',
          power_state: null,
          driver_info: { ipmi_address: key, anything: key },
          instance_info: { configdrive: drive, admin_password: password },
        },
        deep: [{ private_key: key, note: 'visible' }],
      },
    }
    const endpoint = server.url
    const headers = { 'content-type': 'application/json' }
    const answer = await fetch(`${endpoint}/v1/notifications/baremetal`, {
      method: 'POST',
      headers,
      body: JSON.stringify(message),
    })
    expect([answer.status, await answer.text()]).toEqual([204, ''])
    await waitUntil(() => events.length === 1 && hook.deliveries.length === 1, {
      ...PATIENCE,
      what: 'the event to arrive',
    })
    const history = await (await fetch(`${endpoint}/v1/events/history`)).text()
    const shown = [JSON.stringify(events), hook.deliveries[0]!.body, history].join('\n')
    expect(shown).toContain('"note":"visible"')
    expect(shown).toContain('***')
    await stream.close()
    await server.stop()
    const logs = server
      .logs()
      .map(({ text }) => text)
      .join('\n')
    expect(logs).toContain('An event was delivered')
    const files = (await readdir(dataDir, { recursive: true, withFileTypes: true })).filter((each) => each.isFile())
    const stored = await Promise.all(
      files.map(async (file) => await readFile(join(file.parentPath, file.name), 'latin1')),
    )
    expect(stored.some((text) => text.includes('"note":"visible"'))).toBe(true)
    for (const secret of secrets) expect([shown, logs, ...stored].some((text) => text.includes(secret))).toBe(false)
  },
)
