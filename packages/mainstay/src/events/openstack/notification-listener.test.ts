import { describe, expect, onTestFinished, test, vi } from 'vitest'

import { ManualClock } from '../../core/clock.ts'
import { ShutdownError } from '../../core/errors.ts'
import { LogLines } from '../compat/testing/log-lines.ts'
import { RecordingClock } from '../compat/testing/recording-clock.ts'
import { NotificationListener, type NotificationListenerOptions } from './notification-listener.ts'
import { OSISM_BINDINGS, OSISM_QUEUE_PREFIX, notificationSources } from './notification-source.ts'
import { FakeBroker } from './testing/fake-broker.ts'

const TWO = notificationSources(OSISM_BINDINGS, OSISM_QUEUE_PREFIX).slice(0, 2)

interface Stage {
  readonly broker: FakeBroker
  readonly log: LogLines
  readonly listener: NotificationListener
}

function stage(options: Partial<NotificationListenerOptions> = {}, exchanges: readonly string[] = []): Stage {
  const [broker, log] = [new FakeBroker(), new LogLines()]
  for (const exchange of exchanges) broker.exchanges.add(exchange)
  const listener = new NotificationListener({
    clock: new RecordingClock(),
    logger: log.logger,
    amqp: broker,
    url: 'amqp://user:secret@mq',
    sources: TWO,
    ingest: { accept: async () => ({ duplicates: 0, spooled: false }) },
    ...options,
  })
  onTestFinished(async () => await listener.stop())
  return { broker, log, listener }
}

describe('consumers (event-stream 8.2)', () => {
  test('E-158 E-159 one for each exchange, with acknowledgement by hand', async () => {
    const { broker, listener } = stage({}, ['ironic', 'nova'])
    await listener.discovery.checkForNewExchanges(broker.connection)
    const consumers = await listener.openConsumers(broker.connection)
    expect(consumers).toHaveLength(2)
    expect(broker.consumers[0]!.wanted).toEqual({
      queue: 'osism-listener-ironic',
      queueOptions: { durable: true, autoDelete: false },
      exchange: { exchange: 'ironic', type: 'topic', durable: true, passive: true },
      routingKeys: ['ironic_versioned_notifications.info'],
      prefetch: 200,
      noAck: false,
    })
  })

  test('E-160 one that cannot be set up does not matter to the others, and is looked for again', async () => {
    const { broker, listener, log } = stage({}, ['ironic', 'nova'])
    broker.broken.add('osism-listener-ironic')
    await listener.discovery.checkForNewExchanges(broker.connection)
    expect(await listener.openConsumers(broker.connection)).toHaveLength(1)
    expect(listener.queues).toEqual(['osism-listener-nova'])
    expect(log.at('error')).toEqual([expect.stringContaining('osism-listener-ironic')])
    expect(listener.discovery.complete).toBe(false)
  })

  test('E-161 without any it says so', async () => {
    const { broker, listener, log } = stage()
    expect(await listener.openConsumers(broker.connection)).toEqual([])
    expect(log.at('error')).toEqual(['There is no queue to listen to'])
  })
})

describe('the listener (event-stream 8.2)', () => {
  test('E-138 the bridge that it is given is used', () => {
    const bridge = { addEvent: async () => {} }
    const { listener, log } = stage({ bridge })
    expect(listener.bridge).toBe(bridge)
    expect(log.at('warn')).toEqual([])
  })

  test('E-139 without a bridge, and without a log, it warns', () => {
    const { listener, log } = stage({ ingest: null })
    expect(listener.bridge).toBeNull()
    expect(log.at('warn')).toHaveLength(1)
  })

  test('E-136 without an API there is no client', () => {
    const httpClient = vi.fn<() => never>()
    expect(stage({ httpClient }).listener.forwarder).toBeNull()
    expect(httpClient).not.toHaveBeenCalled()
  })

  test('E-137 the address of the API may end in a slash', () => {
    const { listener } = stage({
      apiUrl: 'http://api:8000//',
      httpClient: () => ({ post: async () => ({ status: 204 }) }),
    })
    expect(listener.forwarder?.url).toBe('http://api:8000/notifications/baremetal')
  })

  /** Runs a listener on a clock that a test moves. */
  function running(exchanges: readonly string[], refusals: readonly Error[] = []): Stage & { clock: ManualClock } {
    const clock = new ManualClock()
    const all = stage({ clock, retryDelayMs: () => 60_000 }, exchanges)
    all.broker.refusals.push(...refusals)
    all.listener.start()
    all.listener.start()
    return { ...all, clock }
  }

  test('E-182 a broker that refuses is asked again after 60 s, for 30 s each', async () => {
    const { broker, clock, log, listener } = running(['ironic', 'nova'], [new Error('refused'), new Error('refused')])
    await clock.advance(0)
    await expect(listener.check()).rejects.toThrow('The broker at amqp://user:***@mq does not answer')
    expect(broker.connects).toEqual([{ url: 'amqp://user:secret@mq', timeoutMs: 30_000 }])
    await clock.advance(59_999)
    expect(broker.connects).toHaveLength(1)
    await clock.advance(60_001)
    expect(broker.connects).toHaveLength(3)
    expect(listener.queues).toHaveLength(2)
    await listener.check()
    expect(log.at('error')).toHaveLength(2)
    expect(log.at('error').join()).not.toContain('secret')
    broker.connected = false
    await expect(listener.check()).rejects.toThrow('does not answer')
  })

  test('E-183 exchanges that appear later are listened to as well, and the others go on', async () => {
    const { broker, clock, listener } = running(['nova'])
    await clock.advance(0)
    expect(listener.queues).toEqual(['osism-listener-nova'])
    broker.exchanges.add('ironic')
    await clock.advance(60_000)
    expect(listener.queues).toEqual(['osism-listener-nova', 'osism-listener-ironic'])
    expect(broker.consumers.map(({ closed }) => closed)).toEqual([false, false])
    await listener[Symbol.asyncDispose]()
    expect(broker.consumers.map(({ closed }) => closed)).toEqual([true, true])
    expect([broker.closed, clock.pending, listener.queues.length]).toEqual([1, 0, 0])
  })

  test('stopping ends every wait', async () => {
    const refused = running([], [new Error('refused')])
    await refused.clock.advance(0)
    const searching = running([])
    await searching.clock.advance(0)
    for (const { listener, clock, log } of [refused, searching]) {
      await listener.stop()
      expect(clock.pending).toBe(0)
      expect(log.at('info').at(-1)).toBe('The notification listener stopped')
    }
  })

  test('a consumer that cannot be closed keeps nobody from ending', async () => {
    const { broker, clock, listener, log } = running(['ironic', 'nova'])
    await clock.advance(0)
    broker.consumers[0]!.close = async () => await new Promise<never>(() => {})
    const stopping = listener.stop()
    await clock.advance(10_000)
    await stopping
    expect(log.at('warn')).toContainEqual(expect.stringContaining('Closing the connection to the broker'))
    expect(broker.destroyed).toBe(1)
  })

  test('a message that comes while it stops is given back', async () => {
    const accept = async (): Promise<never> => {
      throw new ShutdownError()
    }
    const { broker, listener } = stage({ ingest: { accept } }, ['ironic', 'nova'])
    await listener.discovery.checkForNewExchanges(broker.connection)
    await listener.openConsumers(broker.connection)
    listener.intake.stop(new ShutdownError())
    const delivered = broker.deliver('osism-listener-nova', { body: '{"event_type":"a.b"}' })
    await expect(delivered).rejects.toThrow(ShutdownError)
  })
})
