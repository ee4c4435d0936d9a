import { describe, expect, onTestFinished, test, vi } from 'vitest'

import { ManualClock } from '../../core/clock.ts'
import { ShutdownError } from '../../core/errors.ts'
import { FakeLoops } from '../compat/testing/fake-loops.ts'
import { LogLines } from '../compat/testing/log-lines.ts'
import { RecordingClock } from '../compat/testing/recording-clock.ts'
import { ExchangeDiscovery } from './exchange-discovery.ts'
import { NotificationListener, type NotificationListenerOptions } from './notification-listener.ts'
import {
  DEFAULT_BINDINGS,
  OSISM_BINDINGS,
  OSISM_QUEUE_PREFIX,
  notificationSources,
  type NotificationSource,
} from './notification-source.ts'
import { FakeBroker } from './testing/fake-broker.ts'

const SOURCES = notificationSources(OSISM_BINDINGS, OSISM_QUEUE_PREFIX)
const IRONIC = SOURCES.find(({ service }) => service === 'ironic')!
const TWO = SOURCES.slice(0, 2)

describe('what is bound (event-stream 8.1)', () => {
  test('E-107 the reference knows six services', () => {
    expect(SOURCES.map(({ service }) => service)).toEqual(['ironic', 'nova', 'neutron', 'cinder', 'keystone', 'glance'])
  })

  test.each([
    ['E-108', 'ironic'],
    ['E-109', 'nova'],
    ['E-110', 'neutron'],
    ['E-111', 'cinder'],
    ['E-112', 'keystone'],
    ['E-113', 'glance'],
  ])('%s %s has its exchange, key and queue', (_case, service) => {
    expect(SOURCES).toContainEqual({
      service,
      exchange: service,
      routingKeys: [`${service}_versioned_notifications.info`],
      queue: `osism-listener-${service}`,
    })
  })

  test('E-114 the names that the reference exports for ironic are those of its entry', () => {
    const [exchange, routingKey, queue] = ['ironic', 'ironic_versioned_notifications.info', 'osism-listener-ironic']
    expect(IRONIC).toMatchObject({ exchange, routingKeys: [routingKey], queue })
  })

  test('what services really send is bound by itself, one queue for each exchange (8.6)', () => {
    expect(
      notificationSources(DEFAULT_BINDINGS, 'mainstay').map((source) => [source.queue, source.routingKeys]),
    ).toEqual([
      ['mainstay-ironic', ['ironic_versioned_notifications.*']],
      ['mainstay-nova', ['versioned_notifications.*', 'notifications.*']],
      ['mainstay-neutron', ['notifications.*']],
      ['mainstay-cinder', ['notifications.*']],
      ['mainstay-cinder-openstack', ['notifications.*']],
      ['mainstay-glance', ['notifications.*']],
      ['mainstay-keystone', ['notifications.*']],
      ['mainstay-masakari', ['versioned_notifications.*']],
    ])
  })
})

interface Search {
  readonly broker: FakeBroker
  readonly log: LogLines
  readonly clock: RecordingClock
  readonly loops: FakeLoops
  readonly discovery: ExchangeDiscovery
}

function search(exchanges: readonly string[], sources: readonly NotificationSource[] = TWO): Search {
  const [broker, log, clock, loops] = [new FakeBroker(), new LogLines(), new RecordingClock(), new FakeLoops()]
  for (const exchange of exchanges) broker.exchanges.add(exchange)
  const discovery = new ExchangeDiscovery({ clock, logger: log.logger, sources, startLoop: loops.start })
  return { broker, log, clock, loops, discovery }
}

const nobody = (): void => expect.unreachable()

describe('exchanges are discovered (event-stream 8.2)', () => {
  test('E-140 at first nothing is known', () => {
    const { discovery } = search(['ironic'])
    expect([discovery.available, discovery.complete]).toEqual([[], false])
  })

  test('E-141 an exchange that is there is a durable topic exchange, and only asked for', async () => {
    const { discovery, broker } = search(['ironic'])
    expect(await discovery.checkExchange(broker.connection, 'ironic')).toEqual({ type: 'topic', durable: true })
    expect(broker.declared).toEqual([{ exchange: 'ironic', type: 'topic', durable: true, passive: true }])
    expect(broker.openChannels).toBe(0)
  })

  test('E-142 one that is not is only mentioned', async () => {
    const { discovery, broker, log } = search([])
    expect(await discovery.checkExchange(broker.connection, 'ironic')).toBeNull()
    expect(log.all).toEqual(log.at('debug'))
    expect(log.at('debug')).toEqual([expect.stringContaining('ironic is not there')])
    expect(broker.openChannels).toBe(0)
  })

  test('E-143 E-144 E-145 what is found is kept, and not asked for again', async () => {
    const { discovery, broker } = search([])
    expect(await discovery.checkForNewExchanges(broker.connection)).toBe(false)
    broker.exchanges.add('nova')
    expect(await discovery.checkForNewExchanges(broker.connection)).toBe(true)
    expect(discovery.available).toEqual([{ ...TWO[1], exchangeProperties: { type: 'topic', durable: true } }])
    broker.declared.length = 0
    expect(await discovery.checkForNewExchanges(broker.connection)).toBe(false)
    expect(broker.declared.map(({ exchange }) => exchange)).toEqual(['ironic'])
  })

  test('E-146 without a channel nothing is found', async () => {
    const { discovery, broker, log } = search(['ironic'])
    broker.channelFailure = new Error('the connection is lost')
    expect(await discovery.checkForNewExchanges(broker.connection)).toBe(false)
    expect(log.at('warn')).toEqual([expect.stringContaining('the connection is lost')])
  })

  test('E-147 told to stop, it does not look again', async () => {
    const { broker } = search([])
    const clock = new ManualClock()
    const discovery = new ExchangeDiscovery({ clock, logger: new LogLines().logger, sources: TWO })
    const running = discovery.run(broker.connection, nobody)
    await discovery.stop()
    await running
    expect(broker.declared).toEqual([])
    expect(clock.pending).toBe(0)
  })

  test('E-148 with everything known it is over', async () => {
    const { discovery, broker, clock } = search(['ironic', 'nova'])
    await discovery.checkForNewExchanges(broker.connection)
    await discovery.run(broker.connection, nobody)
    expect(clock.sleeps).toEqual([])
  })

  test('E-149 E-150 it looks every 60 s and tells of what is new', async () => {
    const { discovery, broker, clock } = search([])
    const found: number[] = []
    const rounds = vi.fn<() => void>()
    clock.after(120_000, () => void broker.exchanges.add('nova'))
    clock.after(240_000, () => void broker.exchanges.add('ironic'))
    await discovery.run(broker.connection, () => {
      rounds()
      found.push(clock.sleeps.length)
    })
    expect(found).toEqual([2, 4])
    expect(new Set(clock.sleeps)).toEqual(new Set([60_000]))
    expect(discovery.complete).toBe(true)
  })

  test('E-151 with everything known it is not started', async () => {
    const { discovery, broker, loops } = search(['ironic', 'nova'])
    await discovery.checkForNewExchanges(broker.connection)
    discovery.start(broker.connection, nobody)
    expect(loops.started).toEqual([])
  })

  test('E-152 it can be started again after it was stopped', async () => {
    const { discovery, broker, loops, clock } = search([])
    await discovery.stop()
    discovery.start(broker.connection, () => {})
    expect(loops.names()).toEqual(['exchange discovery'])
    broker.exchanges.add('ironic').add('nova')
    await discovery.run(broker.connection, () => {})
    expect(clock.sleeps).toEqual([60_000])
  })

  test.each([
    ['E-153 a search that runs is waited for', false, [5000]],
    ['E-155 one that has ended is not', true, []],
  ])('%s', async (_what, ended, waits) => {
    const { discovery, broker, loops } = search([])
    discovery.start(broker.connection, () => {})
    loops.started[0]!.ended = ended
    await discovery.stop()
    expect(loops.started[0]!.waits).toEqual(waits)
  })

  test('E-154 it can be stopped without having been started', async () => {
    await expect(search([]).discovery.stop()).resolves.toBeUndefined()
  })

  test('E-156 with one exchange known nobody waits', async () => {
    const { discovery, broker, clock } = search(['ironic'])
    const { signal } = new AbortController()
    await discovery.waitForExchanges(broker.connection, signal)
    expect(clock.sleeps).toEqual([])
    broker.declared.length = 0
    await discovery.waitForExchanges(broker.connection, signal)
    expect(broker.declared).toEqual([])
  })

  test('E-157 without any it looks every 60 s until there is one', async () => {
    const { discovery, broker, clock } = search([])
    clock.after(170_000, () => void broker.exchanges.add('nova'))
    await discovery.waitForExchanges(broker.connection, new AbortController().signal)
    expect(clock.sleeps).toEqual([60_000, 60_000, 60_000])
  })
})

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
