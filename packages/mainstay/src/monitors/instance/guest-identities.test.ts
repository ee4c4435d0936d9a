import { DomainEventId, IoErrorAction } from '@mainstay/libvirt-rpc'
import { beforeEach, describe, expect, test } from 'vitest'

import { ManualClock } from '../../core/clock.ts'
import { Metrics } from '../../core/metrics.ts'
import type { DomainAccess } from './domain-source.ts'
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

beforeEach(() => {
  clock = new ManualClock(Date.UTC(2026, 10, 21))
  libvirt = new Libvirt()
  libvirt.metadata = unreadable
  memory = new Memory()
  sink = new Sink()
})

async function watching(): Promise<InstanceMonitor> {
  metrics = new Metrics()
  const monitor = await startMonitor({ clock, libvirt, memory, sink, metrics }, { uuidSource: 'metadata:http://x#id' })
  libvirt.connect()
  await clock.advance(0)
  return monitor
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
    const domain = { uuid: 'u', name: 'name-u', id: 1 }
    const event = { id: DomainEventId.IO_ERROR, domain, sourcePath: '', deviceAlias: '', action: IoErrorAction.REPORT }
    libvirt.listener?.event(event)
    libvirt.listener?.event(event)
    await clock.advance(0)
    const seenAt = clock.now()
    await clock.advance(20_000)
    expect(sink.told).toEqual([])
    libvirt.metadata = readable
    await clock.advance(20_000)
    expect(sink.told).toEqual(['guest-u IO_ERROR_REPORT'])
    expect(sink.reports).toMatchObject([{ detectedAtMs: seenAt }])
  })

  test('is given up when the guest has gone with it', async () => {
    libvirt.put('u', 1, 1, { persistent: false })
    await watching()
    libvirt.domains.delete('u')
    libvirt.connect()
    await clock.advance(0)
    expect(sink.told).toEqual([])
    expect(clock.pending).toBe(0)
    expect(await metrics.text()).toContain('mainstay_suppressed_total{reason="no_identity"} 1')
  })
})
