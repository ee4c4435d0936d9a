import { beforeEach, describe, expect, test } from 'vitest'

import { ManualClock } from '../../core/clock.ts'
import { Metrics } from '../../core/metrics.ts'
import { agentOptions, type InstanceOptions } from '../agent-options.ts'
import { SpoolFullError } from '../errors.ts'
import type { InstanceMonitor } from './instance-monitor.ts'
import type { CurrentDomain } from './reconcile.ts'
import { Libvirt, Memory, Sink, startMonitor } from './testing/start-monitor.ts'

let clock: ManualClock
let libvirt: Libvirt
let memory: Memory
let sink: Sink
let metrics: Metrics

beforeEach(() => {
  clock = new ManualClock(Date.UTC(2026, 10, 21))
  libvirt = new Libvirt()
  memory = new Memory()
  sink = new Sink()
})

async function start(instance: Partial<InstanceOptions> = {}): Promise<InstanceMonitor> {
  metrics = new Metrics()
  return await startMonitor({ clock, libvirt, memory, sink, metrics }, instance)
}

async function watching(instance: Partial<InstanceOptions> = {}): Promise<InstanceMonitor> {
  const monitor = await start(instance)
  libvirt.connect()
  await clock.advance(0)
  return monitor
}

describe('the instance monitor', () => {
  test('tells of a guest that failed, with the time at which it was seen', async () => {
    libvirt.put('u', 1, 1)
    await watching()
    libvirt.fail('u')
    await clock.advance(50)
    expect(sink.reports).toEqual([
      {
        type: 'VM',
        hostname: 'cn7',
        detectedAtMs: Date.UTC(2026, 10, 21),
        payload: { event: 'LIFECYCLE', instance_uuid: 'u', vir_domain_event: 'STOPPED_FAILED' },
      },
    ])
  })

  test('the UUID is sent in lower case', async () => {
    await watching()
    libvirt.lifecycle('ABCD', 5, 5)
    await clock.advance(0)
    expect(sink.told).toEqual(['abcd STOPPED_FAILED'])
  })

  test('IM-6 a repetition within the window is not told, a second life is', async () => {
    libvirt.put('u', 1, 1)
    await watching()
    libvirt.fail('u')
    libvirt.fail('u')
    await clock.advance(1_000)
    expect(sink.told).toHaveLength(1)
    libvirt.lifecycle('u', 2, 0)
    libvirt.fail('u')
    await clock.advance(0)
    expect(sink.told).toHaveLength(2)
    expect(await metrics.text()).toContain('mainstay_suppressed_total{reason="repeat"} 1')
  })

  test('panic_as = stopped_failed makes one report of a panic and the end that follows', async () => {
    libvirt.put('u', 1, 1)
    await watching({ panicAs: 'stopped_failed' })
    libvirt.lifecycle('u', 8, 0)
    await clock.advance(1_200)
    libvirt.lifecycle('u', 5, 2)
    await clock.advance(0)
    expect(sink.told).toEqual(['u STOPPED_FAILED'])
  })

  test('IM-11 guests of ignored names are neither told of nor remembered, and a reload changes which', async () => {
    libvirt.put('u', 1, 1)
    const monitor = await watching({ ignoreDomains: ['name-*'] })
    libvirt.fail('u')
    await clock.advance(0)
    expect(sink.told).toEqual([])
    expect(memory.written?.size).toBe(0)
    monitor.reload(agentOptions({ hostname: 'cn8' }))
    libvirt.lifecycle('u', 2, 0)
    libvirt.fail('u')
    await clock.advance(0)
    expect(sink.reports).toMatchObject([{ hostname: 'cn8' }])
  })

  test('IM-10 a guest without the text at uuid_source is not told of under a wrong name', async () => {
    libvirt.put('u', 1, 1)
    libvirt.put('v', 1, 1)
    libvirt.metadata = async ({ uuid }) => (uuid === 'u' ? '<x><id>GUEST-1</id></x>' : undefined)
    await watching({ uuidSource: 'metadata:http://x#id' })
    libvirt.fail('u')
    libvirt.fail('v')
    await clock.advance(0)
    expect(sink.told).toEqual(['guest-1 STOPPED_FAILED'])
    expect(await metrics.text()).toContain('mainstay_suppressed_total{reason="no_identity"} 1')
  })

  test('is ready once it has compared, and not while libvirt is away', async () => {
    const monitor = await start()
    expect(monitor.health()).toMatchObject({ ready: false })
    libvirt.connect()
    await clock.advance(0)
    expect(monitor.health()).toEqual({ ready: true, detail: '0 guests known' })
    libvirt.listener?.disconnected('end of file')
    expect(monitor.health()).toEqual({ ready: false, detail: 'libvirt is away: end of file' })
  })
})

describe('comparing with libvirt (IM-4)', () => {
  test('the first start ever tells nothing', async () => {
    libvirt.put('u', 5, 3)
    await watching()
    expect(sink.told).toEqual([])
    expect(memory.written?.get('u')).toMatchObject({ state: 5, reason: 3 })
  })

  test('a guest that failed while libvirt was away is told of once, whether its event comes too or not', async () => {
    libvirt.put('u', 1, 1)
    await watching()
    libvirt.listener?.disconnected('restart')
    libvirt.put('u', 5, 3)
    libvirt.connect()
    libvirt.lifecycle('u', 5, 5)
    await clock.advance(0)
    expect(sink.told).toEqual(['u STOPPED_FAILED'])
  })

  test('events that come during a comparison are judged after it', async () => {
    libvirt.put('u', 1, 1)
    const listed = Promise.withResolvers<CurrentDomain[]>()
    const stale = [...libvirt.domains.values()]
    await watching()
    libvirt.list = async () => await listed.promise
    libvirt.connect()
    libvirt.fail('u')
    await clock.advance(0)
    expect(sink.told).toEqual([])
    listed.resolve(stale)
    await clock.advance(0)
    expect(sink.told).toEqual(['u STOPPED_FAILED'])
    expect(memory.written?.get('u')).toMatchObject({ state: 5 })
  })

  test('is tried again when it failed', async () => {
    libvirt.put('u', 1, 1)
    await watching()
    libvirt.put('u', 5, 6)
    libvirt.list = async () => await Promise.reject(new Error('timeout'))
    libvirt.connect()
    await clock.advance(0)
    expect(sink.told).toEqual([])
    libvirt.list = async () => [...libvirt.domains.values()]
    await clock.advance(5_000)
    expect(sink.told).toEqual(['u STOPPED_FAILED'])
  })

  test('takes the place of events that are too many to wait for it', async () => {
    libvirt.put('u', 1, 1)
    const listed = Promise.withResolvers<CurrentDomain[]>()
    await watching()
    libvirt.list = async () => await listed.promise
    libvirt.connect()
    libvirt.fail('u')
    for (let n = 0; n < 100_010; n += 1) libvirt.lifecycle('noise', 3, 0)
    listed.resolve([...libvirt.domains.values()])
    libvirt.list = async () => [...libvirt.domains.values()]
    await clock.advance(0)
    await expect.poll(() => sink.told).toEqual(['u STOPPED_FAILED'])
    expect(await metrics.text()).toContain('mainstay_suppressed_total{reason="overflow"} 1')
  })

  test('one that hangs is given up and tried again', async () => {
    libvirt.put('u', 1, 1)
    await watching()
    libvirt.put('u', 5, 6)
    libvirt.list = async () => await new Promise<never>(() => undefined)
    libvirt.connect()
    await clock.advance(60_000)
    libvirt.list = async () => [...libvirt.domains.values()]
    await clock.advance(5_000)
    expect(sink.told).toEqual(['u STOPPED_FAILED'])
  })
})

describe('nothing is lost when the agent is killed', () => {
  test.each([
    ['before the event', async () => undefined],
    [
      'while the spool writes',
      async () => {
        sink.take = async () => await new Promise<never>(() => undefined)
        libvirt.fail('u')
      },
    ],
    [
      'after the report, before what is known is written',
      async () => {
        memory.save = async () => await new Promise<never>(() => undefined)
        libvirt.fail('u')
      },
    ],
    ['after both', async () => libvirt.fail('u')],
  ])('%s', async (_moment, until) => {
    libvirt.put('u', 1, 1)
    await watching()
    await until()
    await clock.advance(0)
    // Another process: the disk is as it was, nothing else is.
    libvirt.put('u', 5, 6)
    sink.take = async () => undefined
    const survived = memory.written
    memory = new Memory()
    memory.written = survived
    await watching()
    expect(sink.told).toContain('u STOPPED_FAILED')
  })

  test('a comparison that takes its time writes nothing down before it tells', async () => {
    libvirt.put('u', 1, 1)
    libvirt.metadata = async ({ uuid }) => `<id>guest-${uuid}</id>`
    await watching({ uuidSource: 'metadata:http://x#id' })
    expect(memory.written?.get('u')).toMatchObject({ state: 1, instanceUuid: 'guest-u' })
    libvirt.put('u', 5, 6)
    libvirt.put('v', 1, 1)
    libvirt.put('w', 1, 1)
    const identified = Promise.withResolvers<string>()
    libvirt.metadata = async ({ uuid }) => (uuid === 'w' ? await identified.promise : `<id>guest-${uuid}</id>`)
    libvirt.connect()
    await clock.advance(1_000)
    expect(memory.written?.get('u')).toMatchObject({ state: 1 })
    expect(sink.told).toEqual([])
    identified.resolve('<id>guest-w</id>')
    await clock.advance(0)
    expect(sink.told).toEqual(['guest-u STOPPED_FAILED'])
    expect(memory.written?.get('u')).toMatchObject({ state: 5 })
  })

  test('what is known is not written down while its report is only in memory', async () => {
    libvirt.put('u', 1, 1)
    await watching()
    sink.durable = false
    libvirt.fail('u')
    await clock.advance(5_000)
    expect(memory.written?.get('u')).toMatchObject({ state: 1 })
    sink.durable = true
    await clock.advance(1_000)
    expect(memory.written?.get('u')).toMatchObject({ state: 5 })
  })

  test('a report that the spool refuses is found again by comparing', async () => {
    libvirt.put('u', 1, 1)
    await watching()
    sink.take = async () => await Promise.reject(new SpoolFullError('/spool', 10_000, 'ENOSPC'))
    libvirt.fail('u')
    await clock.advance(0)
    expect(memory.written?.get('u')).toMatchObject({ state: 1 })
    sink.take = async () => undefined
    await clock.advance(5_000)
    expect(sink.told).toEqual(['u STOPPED_FAILED'])
    expect(memory.written?.get('u')).toMatchObject({ state: 5 })
  })

  test('stopping writes down what is known, and leaves no timer behind', async () => {
    libvirt.put('u', 1, 1)
    const monitor = await watching()
    libvirt.lifecycle('u', 3, 0)
    await monitor.stop()
    expect(memory.written?.get('u')).toMatchObject({ state: 3, reason: 1 })
    expect(clock.pending).toBe(0)
  })
})
