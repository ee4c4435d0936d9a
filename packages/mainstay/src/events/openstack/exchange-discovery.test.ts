import { describe, expect, test, vi } from 'vitest'

import { ManualClock } from '../../core/clock.ts'
import { FakeLoops } from '../compat/testing/fake-loops.ts'
import { LogLines } from '../compat/testing/log-lines.ts'
import { RecordingClock } from '../compat/testing/recording-clock.ts'
import { ExchangeDiscovery } from './exchange-discovery.ts'
import {
  OSISM_BINDINGS,
  OSISM_QUEUE_PREFIX,
  notificationSources,
  type NotificationSource,
} from './notification-source.ts'
import { FakeBroker } from './testing/fake-broker.ts'

const TWO = notificationSources(OSISM_BINDINGS, OSISM_QUEUE_PREFIX).slice(0, 2)

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
