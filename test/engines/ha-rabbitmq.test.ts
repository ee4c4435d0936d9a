import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, expect, test } from 'vitest'
import { Cluster, skipReason } from '@mainstay/testkit'
import { Connection } from 'rabbitmq-client'

import { SystemClock } from '../../packages/mainstay/src/core/clock.ts'
import { SystemIds } from '../../packages/mainstay/src/core/ids.ts'
import { parseJson } from '../../packages/mainstay/src/core/json.ts'
import { silentLogger } from '../../packages/mainstay/src/core/logging.ts'
import { TaskGroup } from '../../packages/mainstay/src/core/task-group.ts'
import { BusRelay, BusTeller, RabbitmqSender } from '../../packages/mainstay/src/ha/index.ts'
import { startHa } from '../../packages/mainstay/src/ha/testing/start-ha.ts'
import { SqliteStore } from '../../packages/mainstay/src/store/index.ts'
import { needThat } from '../support/need.ts'

const POLL_MS = 50
const SEND_TIMEOUT_MS = 2000

/** What oslo.messaging carries, as far as it is looked at here. */
interface Message {
  readonly message_id: string
  readonly event_type: string
  readonly priority: string
  readonly payload: { readonly 'masakari_object.data': { readonly name: string } }
}

let cluster: Cluster | undefined

afterAll(async () => {
  await cluster?.dispose()
})

test('events of the HA API reach the queues of oslo.messaging, also those of the time when the bus was away', async (ctx) => {
  const reason = await skipReason('rabbitmq')
  needThat(ctx, reason === undefined, reason ?? '')
  cluster = await Cluster.create({ name: 'ha-rabbitmq' })
  const rabbit = cluster.component('rabbitmq')
  await rabbit.start()
  const url = `amqp://guest:guest@127.0.0.1:${rabbit.port}/`
  const base = { clock: new SystemClock(), ids: new SystemIds(), logger: silentLogger() }
  const tasks = new TaskGroup(base)
  const sender = new RabbitmqSender({ ...base, url, durable: true, sendTimeoutMs: SEND_TIMEOUT_MS })
  await using cleanup = new AsyncDisposableStack()
  const directory = await mkdtemp(join(tmpdir(), 'mainstay-ha-rabbitmq-'))
  cleanup.defer(async () => await rm(directory, { recursive: true, force: true }))
  const store = SqliteStore.open({ path: join(directory, 'state.db'), clock: base.clock })
  cleanup.defer(async () => await store.close())
  await store.migrate()
  const relay = new BusRelay({
    ...base,
    store,
    tasks,
    deliver: async (message, options) => await sender.deliver(message, options),
    pollMs: POLL_MS,
    keepMs: 600_000,
  })
  const notifier = new BusTeller({ ...base, store, tasks, relay })
  const ha = cleanup.use(await startHa({ clock: base.clock, store, deps: { notifier } }))
  relay.start()

  const create = async (name: string): Promise<number> => {
    const body = { segment: { name, recovery_method: 'auto', service_type: 'x' } }
    return (await ha.send('POST', '/v1/segments', { body })).status
  }
  const names = Array.from({ length: 30 }, (_, number) => `s${number}`)
  for (const [number, name] of names.entries()) {
    if (number === 10) await rabbit.kill()
    if (number === 20) await rabbit.start()
    expect(await create(name)).toBe(201)
  }
  expect(await create('s0')).toBe(409)

  const listener = new Connection(url)
  const messages = new Map<string, Message>()
  const read = async (queue: string): Promise<void> => {
    for (;;) {
      const message = await listener.basicGet(queue)
      if (message === undefined) return
      const outer = parseJson(String(message.body), 'a message') as Record<string, string>
      expect(outer['oslo.version']).toBe('2.0')
      const inner = parseJson(outer['oslo.message']!, 'inside') as unknown as Message
      messages.set(inner.message_id, inner)
    }
  }
  const told = (): string[] =>
    [...messages.values()].map(({ payload, event_type: type }) => `${payload['masakari_object.data'].name} ${type}`)
  const created = names.flatMap((name) => [`${name} segment.create.start`, `${name} segment.create.end`])
  const failed = ['s0 segment.create.start', 's0 segment.create.error']
  await expect
    .poll(
      async () => {
        await read('versioned_notifications.info')
        await read('versioned_notifications.error')
        return told().toSorted()
      },
      { timeout: 60_000 },
    )
    .toEqual([...created, ...failed].toSorted())
  // What was sent again after the bus had been away is not looked at: each came after those before it for the first time.
  expect(told().filter((text) => created.includes(text) && text !== failed[0])).toEqual(created.slice(1))
  expect([...messages.values()].find(({ priority }) => priority === 'ERROR')).toMatchObject({
    payload: { 'masakari_object.data': { fault: { 'masakari_object.data': { exception: 'ConflictError' } } } },
  })
  await listener.close()
  await tasks.stop({ timeoutMs: 5000 })
  await sender.close({ timeoutMs: 5000 })
}, 180_000)
