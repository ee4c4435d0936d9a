import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test, vi, type TestContext } from 'vitest'
import { Cluster, skipReason, type ManagedServer } from '@mainstay/testkit'
import { Connection } from 'rabbitmq-client'

import { SystemClock } from '../../packages/mainstay/src/core/clock.ts'
import { SystemIds } from '../../packages/mainstay/src/core/ids.ts'
import { toJson } from '../../packages/mainstay/src/core/json.ts'
import { silentLogger } from '../../packages/mainstay/src/core/logging.ts'
import { EventLogUnavailableError } from '../../packages/mainstay/src/events/errors.ts'
import { SqliteEventLog } from '../../packages/mainstay/src/events/sqlite/log.ts'
import { rabbitmq } from '../../packages/mainstay/src/events/openstack/rabbitmq.ts'
import { startProgram } from '../support/managed-process.ts'
import { needThat } from '../support/need.ts'
import { startListening, type Listening, type ListeningOptions } from './support/listening.ts'

/** The listener on a real RabbitMQ that is slow, killed, restarted and repeats itself. */

const DYING = fileURLToPath(new URL('support/dying-listener.ts', import.meta.url))
const QUEUE = 'test-listener-nova'
const BINDINGS = [{ service: 'nova', exchanges: ['nova'], routing_keys: ['notifications.*'] }]
const patience = { timeout: 90_000, interval: 50 }
const clock = new SystemClock()
const ids = new SystemIds()

let reason: string | undefined
let cluster: Cluster | undefined
let rabbit: ManagedServer

beforeAll(async () => {
  reason = await skipReason('rabbitmq')
  if (reason !== undefined) return
  cluster = await Cluster.create({ name: 'events-rabbitmq' })
  rabbit = cluster.component('rabbitmq')
  await rabbit.start()
}, 120_000)

afterAll(async () => {
  await cluster?.dispose()
})

/** Each test begins without exchange and queue. */
beforeEach(async (ctx: TestContext) => {
  needThat(ctx, reason === undefined, reason ?? '')
  await using there = connection()
  await there.queueDelete(QUEUE)
  await there.exchangeDelete({ exchange: 'nova' })
})

const url = (): string => `amqp://guest:guest@127.0.0.1:${rabbit.port}/`

function connection(): Connection & AsyncDisposable {
  const made = new Connection({ url: url(), retryLow: 50, retryHigh: 500 })
  made.on('error', () => {})
  return Object.assign(made, { [Symbol.asyncDispose]: async () => await made.close() })
}

/** What a service does: it makes its exchange when it first sends, and what it sends outlives the broker. */
async function publish(from: number, to: number): Promise<void> {
  await using there = connection()
  await using publisher = withDispose(
    there.createPublisher({
      confirm: true,
      maxAttempts: 20,
      exchanges: [{ exchange: 'nova', type: 'topic', durable: true }],
    }),
  )
  const envelope = { exchange: 'nova', routingKey: 'notifications.info', durable: true }
  for (let n = from; n <= to; n += 1) {
    const message = { message_id: ids.random(), event_type: `e.${n}`, priority: 'INFO', payload: { n } }
    await publisher.send(
      { ...envelope, contentType: 'application/json', contentEncoding: 'utf-8' },
      Buffer.from(toJson(message)),
    )
  }
}

function withDispose<T extends { close(): Promise<void> }>(closable: T): T & AsyncDisposable {
  return Object.assign(closable, { [Symbol.asyncDispose]: async () => await closable.close() })
}

function listen(options: Partial<ListeningOptions> = {}): Listening {
  const listening = startListening({ url: url(), clock, logger: silentLogger(), bindings: BINDINGS, ...options })
  onTestFinished(async () => await listening[Symbol.asyncDispose]())
  return listening
}

async function consuming({ listener }: Listening): Promise<void> {
  await vi.waitFor(() => expect(listener.queues).toEqual([QUEUE]), patience)
}

/** Waits until the stream holds so many events, and compares all of them. */
async function holds(listening: Listening, count: number): Promise<void> {
  const expected = Array.from({ length: count }, (_, index) => `e.${index + 1}`)
  await vi.waitFor(async () => {
    const types = (await listening.events()).map(({ event_type: type }) => type)
    expect(types.slice(-3)).toEqual(expected.slice(-3))
  }, patience)
  expect((await listening.events()).map(({ event_type: type }) => type)).toEqual(expected)
}

async function waitingInQueue(): Promise<number> {
  await using there = connection()
  const { messageCount } = await there.queueDeclare({ queue: QUEUE, passive: true })
  return messageCount
}

describe('the listener and a real broker (event-stream 8.2, R3)', { timeout: 180_000 }, () => {
  test('an exchange that appears later is listened to from then on, and is never made by us', async () => {
    const listening = listen()
    await vi.waitFor(() => expect(listening.listener.connected).toBe(true), patience)
    expect(listening.listener.queues).toEqual([])
    await using there = connection()
    await expect(there.exchangeDeclare({ exchange: 'nova', passive: true })).rejects.toThrow('NOT_FOUND')
    await there.exchangeDeclare({ exchange: 'nova', type: 'topic', durable: true })
    await consuming(listening)
    await publish(1, 5)
    await holds(listening, 5)
  })

  test('what is sent while the listener is away waits in its queue', async () => {
    await publish(0, 0)
    const first = listen()
    await consuming(first)
    await publish(1, 3)
    await holds(first, 3)
    await first.listener.stop()
    await publish(4, 6)
    expect(await waitingInQueue()).toBe(3)
    const second = listen({ log: first.log })
    await holds(second, 6)
    await vi.waitFor(async () => expect(await waitingInQueue()).toBe(0), patience)
  })

  test('a broker that is killed loses nothing, and its consumers come back, also where the exchange did not', async () => {
    await publish(0, 0)
    await using there = connection()
    const fleeting = { exchange: 'glance', type: 'topic', durable: false }
    await there.exchangeDeclare(fleeting)
    const glance = { service: 'glance', exchanges: ['glance'], routing_keys: ['notifications.*'] }
    const listening = listen({ bindings: [...BINDINGS, glance] })
    await vi.waitFor(() => expect(listening.listener.queues).toHaveLength(2), patience)
    await publish(1, 200)
    await rabbit.kill()
    await vi.waitFor(() => expect(listening.listener.connected).toBe(false), patience)
    await expect(listening.listener.check()).rejects.toThrow('does not answer')
    await rabbit.start()
    await publish(201, 300)
    await holds(listening, 300)
    await listening.listener.check()
    await expect(there.exchangeDeclare({ exchange: 'glance', passive: true })).rejects.toThrow('NOT_FOUND')
    await there.exchangeDeclare(fleeting)
    await using publisher = withDispose(there.createPublisher({ confirm: true }))
    await vi.waitFor(async () => {
      const image = { event_type: 'image.upload', payload: {} }
      await publisher.send({ exchange: 'glance', routingKey: 'notifications.info' }, image)
      expect((await listening.events()).at(-1)?.event_type).toBe('image.upload')
    }, patience)
    await there.queueDelete('test-listener-glance')
  })

  test('E-219 a message that is delivered twice is one event', async () => {
    await publish(0, 0)
    const listening = listen()
    await consuming(listening)
    await using there = connection()
    const publisher = withDispose(there.createPublisher({ confirm: true }))
    const body = Buffer.from(toJson({ message_id: ids.random(), event_type: 'e.1', payload: {} }))
    for (let copy = 0; copy < 3; copy += 1) {
      await publisher.send({ exchange: 'nova', routingKey: 'notifications.info' }, body)
    }
    await publisher.close()
    await publish(2, 2)
    await holds(listening, 2)
    expect((await listening.log.extent()).head).toBe(2)
  })

  test('E-220 killed between commit and acknowledgement, it is told again and keeps one event', async () => {
    await publish(0, 0)
    const directory = await mkdtemp(join(tmpdir(), 'dying-listener-'))
    onTestFinished(async () => await rm(directory, { recursive: true, force: true }))
    const path = join(directory, 'events.db')
    // The queue must be there before anything is sent that is to be found in it.
    const before = listen()
    await consuming(before)
    await before.listener.stop()
    await publish(1, 5)
    await using dying = await startProgram([process.execPath, DYING, url(), path, 'e.5'])
    expect(await dying.server.exit).toMatchObject({ signal: 'SIGKILL' })
    const log = await SqliteEventLog.open({ path, clock, ids, logger: silentLogger() })
    expect((await log.extent()).head).toBe(5)
    const redelivered: boolean[] = []
    const listening = listen({
      log,
      wrap: (ingest) => ({
        accept: async (events) => {
          const accepted = await ingest.accept(events)
          redelivered.push(accepted.duplicates > 0)
          return accepted
        },
      }),
    })
    await publish(6, 6)
    await holds(listening, 6)
    expect(redelivered).toContain(true)
  })

  test('R7 while the store takes nothing the broker keeps all but what is on its way, and then all arrive in order', async () => {
    await publish(0, 0)
    let away = true
    let attempts = 0
    const listening = listen({
      prefetch: 10,
      wrap: (ingest) => ({
        accept: async (events, options) => {
          attempts += 1
          if (away) throw new EventLogUnavailableError('The store is away.')
          return await ingest.accept(events, options)
        },
      }),
    })
    await consuming(listening)
    await publish(1, 50)
    await vi.waitFor(() => expect(attempts).toBeGreaterThan(3), patience)
    await vi.waitFor(async () => expect(await waitingInQueue()).toBe(40), patience)
    expect(await listening.events()).toEqual([])
    away = false
    await holds(listening, 50)
    await vi.waitFor(async () => expect(await waitingInQueue()).toBe(0), patience)
  })

  test('what nobody can read is thrown away and does not come again', async () => {
    await publish(0, 0)
    const listening = listen()
    await consuming(listening)
    await using there = connection()
    const publisher = withDispose(there.createPublisher({ confirm: true }))
    const send = async (body: Buffer | string | object): Promise<void> =>
      await publisher.send({ exchange: 'nova', routingKey: 'notifications.info' }, body)
    await send(Buffer.from('not json'))
    await send('"a text"')
    await send({ method: 'ping' })
    await send(Buffer.alloc(1024 * 1024 + 1, 0x20))
    await publisher.close()
    await publish(1, 1)
    await holds(listening, 1)
    expect(listening.dead).toEqual(['not decodable', 'not decodable', 'not decodable', 'too large'])
    await vi.waitFor(async () => expect(await waitingInQueue()).toBe(0), patience)
  })

  test('a wrong password and a vhost that is not there are refused', async () => {
    const amqp = rabbitmq({ logger: silentLogger() })
    const attempt = async (wrong: string): Promise<unknown> =>
      await amqp.connect({ url: wrong, timeoutMs: 30_000, signal: new AbortController().signal })
    await expect(attempt(`amqp://guest:wrong@127.0.0.1:${rabbit.port}/`)).rejects.toThrow('ACCESS_REFUSED')
    await expect(attempt(`amqp://guest:guest@127.0.0.1:${rabbit.port}/nothing`)).rejects.toThrow(/nothing|NOT_ALLOWED/)
    const aborted = AbortSignal.abort(new Error('stopping'))
    await expect(amqp.connect({ url: url(), timeoutMs: 30_000, signal: aborted })).rejects.toThrow('stopping')
  })
})
