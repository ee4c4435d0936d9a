import { DomainEventId, IoErrorAction } from '@mainstay/libvirt-rpc'
import { beforeEach, describe, expect, test } from 'vitest'

import { ManualClock } from '../../core/clock.ts'
import { createLogger } from '../../core/logging.ts'
import { Metrics } from '../../core/metrics.ts'
import type { DomainAccess } from './domain-source.ts'
import { agentOptions, type InstanceOptions } from '../agent-options.ts'
import type { InstanceMonitor } from './instance-monitor.ts'
import type { CurrentDomain } from './reconcile.ts'
import { Libvirt, Memory, Sink, startMonitor } from './testing/start-monitor.ts'

const unreadable: DomainAccess['metadata'] = async () => await Promise.reject(new Error('timeout'))
const readable: DomainAccess['metadata'] = async ({ uuid }) => `<id>guest-${uuid}</id>`

let clock: ManualClock
let libvirt: Libvirt
let memory: Memory
let sink: Sink
let metrics: Metrics
let lines: string[]

beforeEach(() => {
  clock = new ManualClock(Date.UTC(2026, 10, 21))
  libvirt = new Libvirt()
  libvirt.metadata = unreadable
  memory = new Memory()
  sink = new Sink()
  lines = []
})

async function watching(instance: Partial<InstanceOptions> = {}): Promise<InstanceMonitor> {
  metrics = new Metrics()
  const destination = { write: (line: string) => void lines.push((JSON.parse(line) as { msg: string }).msg) }
  const logger = createLogger({ format: 'json', destination })
  const surroundings = { clock, libvirt, memory, sink, metrics, logger }
  const monitor = await startMonitor(surroundings, { uuidSource: 'metadata:http://x#id', ...instance })
  libvirt.connect()
  await clock.advance(0)
  return monitor
}

function ioError(uuid: string): void {
  const about = { sourcePath: '', deviceAlias: '', action: IoErrorAction.REPORT }
  libvirt.listener?.event({ id: DomainEventId.IO_ERROR, domain: { uuid, name: `name-${uuid}`, id: 1 }, ...about })
}

describe('a guest whose identity cannot be read now (IM-10)', () => {
  test.each([
    ['answers with an error', unreadable],
    ['does not answer', async () => await new Promise<never>(() => undefined)],
  ])('is told of as soon as it can be read, when libvirt %s', async (_how, metadata) => {
    libvirt.put('u', 1, 1)
    await watching()
    libvirt.metadata = metadata
    libvirt.fail('u')
    await clock.advance(20_000)
    expect(sink.told).toEqual([])
    expect(memory.written?.get('u')).toMatchObject({ state: 1 })
    libvirt.metadata = readable
    await clock.advance(10_000)
    expect(sink.told).toEqual(['guest-u STOPPED_FAILED'])
    expect(memory.written?.get('u')).toMatchObject({ state: 5, instanceUuid: 'guest-u' })
  })

  test('is told of by the process after this one', async () => {
    libvirt.put('u', 1, 1)
    const monitor = await watching()
    libvirt.fail('u')
    await clock.advance(0)
    await monitor.stop()
    expect(clock.pending).toBe(0)
    libvirt.metadata = readable
    await watching()
    expect(sink.told).toEqual(['guest-u STOPPED_FAILED'])
  })

  test('is told of when libvirt was away while its end was looked at', async () => {
    libvirt.put('u', 1, 1)
    await watching()
    const listed = Promise.withResolvers<CurrentDomain[]>()
    libvirt.list = async () => await listed.promise
    libvirt.connect()
    libvirt.fail('u')
    libvirt.listener?.disconnected('restart')
    listed.reject(new Error('end of file'))
    await clock.advance(0)
    expect(sink.told).toEqual([])
    libvirt.list = async () => [...libvirt.domains.values()]
    libvirt.metadata = readable
    libvirt.connect()
    await clock.advance(0)
    expect(sink.told).toEqual(['guest-u STOPPED_FAILED'])
  })

  test('is told of with what its state does not show too, once', async () => {
    libvirt.put('u', 1, 1)
    await watching()
    ioError('u')
    ioError('u')
    await clock.advance(0)
    const seenAt = clock.now()
    await clock.advance(20_000)
    expect(sink.told).toEqual([])
    libvirt.metadata = readable
    await clock.advance(20_000)
    expect(sink.told).toEqual(['guest-u IO_ERROR_REPORT'])
    expect(sink.reports).toMatchObject([{ detectedAtMs: seenAt }])
  })

  test.each([
    ['STOPPED_SHUTDOWN', [5, 1], [5, 0]],
    ['STOPPED_DESTROYED', [5, 2], [5, 1]],
    ['STOPPED_CRASHED', [5, 3], [5, 2]],
    ['STOPPED_FAILED', [5, 6], [5, 5]],
    ['SHUTDOWN_FINISHED', [4, 1], [6, 0]],
    ['SUSPENDED_IOERROR', [3, 5], [3, 2]],
    ['SUSPENDED_API_ERROR', [3, 0], [3, 6]],
    ['CRASHED_PANICKED', [6, 1], [8, 0]],
    ['CRASHED_CRASHLOADED', [6, 1], [8, 1]],
  ] as const)('is told of in the words of its event, once: %s', async (told, [state, reason], [event, detail]) => {
    libvirt.put('u', 1, 1)
    await watching({ dedupeWindowMs: 0 })
    libvirt.put('u', state, reason)
    libvirt.lifecycle('u', event, detail)
    await clock.advance(20_000)
    expect(sink.told).toEqual([])
    libvirt.metadata = readable
    await clock.advance(20_000)
    expect(sink.told).toEqual([`guest-u ${told}`])
    expect(memory.written?.get('u')).toMatchObject({ state })
  })

  test.each([
    ['after it', unreadable],
    ['with it', readable],
  ])('is told of in order with what a comparison has found, when it can be read %s', async (_when, metadata) => {
    libvirt.put('u', 1, 1)
    await watching()
    libvirt.put('u', 3, 5)
    libvirt.lifecycle('u', 3, 2)
    ioError('u')
    await clock.advance(1_000)
    expect(memory.written?.get('u')).toMatchObject({ state: 1 })
    libvirt.put('u', 5, 6)
    libvirt.metadata = metadata
    libvirt.connect()
    await clock.advance(0)
    libvirt.metadata = readable
    await clock.advance(20_000)
    expect(sink.told).toEqual(['guest-u SUSPENDED_IOERROR', 'guest-u IO_ERROR_REPORT', 'guest-u STOPPED_FAILED'])
  })

  test('is told of although its domain was not known when it failed', async () => {
    await watching()
    libvirt.metadata = readable
    libvirt.fail('u')
    await clock.advance(5_000)
    expect(sink.told).toEqual(['guest-u STOPPED_FAILED'])
  })

  test('does not wait for another that goes on failing unread', async () => {
    libvirt.put('u', 1, 1)
    libvirt.put('v', 1, 1)
    await watching()
    libvirt.fail('u')
    await clock.advance(0)
    libvirt.metadata = async (domain, options) => await (domain.uuid === 'u' ? readable : unreadable)(domain, options)
    for (let n = 0; n < 20; n += 1) {
      ioError('v')
      await clock.advance(1_000)
    }
    expect(sink.told).toEqual(['guest-u STOPPED_FAILED'])
  })

  test('does not keep others waiting while libvirt does not answer for it', async () => {
    libvirt.put('u', 1, 1)
    libvirt.put('v', 1, 1)
    libvirt.metadata = readable
    await watching()
    libvirt.put('w', 1, 1)
    let asked = 0
    libvirt.metadata = async () => {
      asked += 1
      return await new Promise<never>(() => undefined)
    }
    libvirt.lifecycle('w', 2, 0)
    for (let n = 0; n < 100; n += 1) ioError('w')
    libvirt.fail('u')
    await clock.advance(30_000)
    expect(sink.told).toEqual(['guest-u STOPPED_FAILED'])
    expect(asked).toBeLessThan(10)
  })

  test('is promised once, and counted for each repetition', async () => {
    libvirt.put('u', 1, 1)
    await watching()
    for (let n = 0; n < 5; n += 1) {
      ioError('u')
      await clock.advance(7_000)
    }
    expect(lines.filter((line) => line.includes('cannot be read'))).toHaveLength(1)
    expect(lines.filter((line) => line.includes('is told as soon as'))).toHaveLength(1)
    expect(await metrics.text()).toContain('mainstay_suppressed_total{reason="repeat"} 4')
  })

  test('is told to nobody once it is read that it has none', async () => {
    libvirt.put('u', 1, 1)
    await watching()
    libvirt.fail('u')
    await clock.advance(0)
    libvirt.metadata = async () => undefined
    await clock.advance(5_000)
    expect(lines).toContain('Guest name-u has no text at uuid_source; nobody is told of STOPPED_FAILED')
    expect(await metrics.text()).toContain('mainstay_suppressed_total{reason="no_identity"} 1')
  })

  test.each([
    ['while nobody listened', () => libvirt.connect()],
    ['as its event says', () => libvirt.lifecycle('u', 5, 5)],
  ])('is given up when the guest has gone with it, %s', async (_how, happens) => {
    libvirt.put('u', 1, 1, { persistent: false })
    await watching()
    libvirt.domains.delete('u')
    happens()
    await clock.advance(5_000)
    expect(sink.told).toEqual([])
    expect(clock.pending).toBe(0)
    expect(lines).toContain('Guest name-u is gone, and no identity of it is known; nobody is told of STOPPED_FAILED')
    expect(lines.join()).not.toContain('has no text')
    expect(await metrics.text()).toContain('mainstay_suppressed_total{reason="no_identity"} 1')
  })

  test('is not told of once its name is to be ignored', async () => {
    libvirt.put('u', 1, 1, { persistent: false })
    libvirt.put('v', 1, 1)
    const monitor = await watching()
    libvirt.fail('v')
    await clock.advance(0)
    monitor.reload(agentOptions({ instance: { ignoreDomains: ['name-*'], uuidSource: 'domain' } }))
    await clock.advance(5_000)
    expect(sink.told).toEqual([])
  })
})
