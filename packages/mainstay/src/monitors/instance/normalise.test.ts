import { describe, expect, test } from 'vitest'

import { normalise, WATCHED_EVENTS, type WatchedEvent } from './normalise.ts'

const domain = { name: 'instance-00000001', uuid: '11111111-2222-3333-4444-555555555555', id: 1 }
const address = { family: 0, node: '127.0.0.1', service: '5900' }
const disk = { sourcePath: '/dev/vdb', deviceAlias: 'virtio-disk1' }

const cases: [string, WatchedEvent, [number, number, number]][] = [
  ['LIFECYCLE keeps event and detail', { id: 0, domain, event: 5, detail: 5 }, [0, 5, 5]],
  ['REBOOT has neither', { id: 1, domain }, [1, -1, -1]],
  ['RTC_CHANGE has neither', { id: 2, domain, offsetS: 3 }, [2, -1, -1]],
  ['WATCHDOG keeps its action', { id: 3, domain, action: 2 }, [3, 2, -1]],
  ['IO_ERROR keeps its action', { id: 4, domain, ...disk, action: 1 }, [4, 1, -1]],
  [
    'GRAPHICS keeps its phase',
    { id: 5, domain, phase: 1, local: address, remote: address, authScheme: 'none', subject: [] },
    [5, -1, 1],
  ],
  ['IO_ERROR_REASON has neither', { id: 6, domain, ...disk, action: 2, reason: 'eio' }, [6, -1, -1]],
  ['CONTROL_ERROR has neither', { id: 7, domain }, [7, -1, -1]],
  [
    'DISK_CHANGE has neither',
    { id: 9, domain, oldSourcePath: undefined, newSourcePath: '/a', deviceAlias: 'ide0', reason: 1 },
    [9, -1, -1],
  ],
  ['MEMORY_FAILURE keeps its action', { id: 25, domain, recipient: 1, action: 2, flags: 0 }, [25, 2, -1]],
]

describe('normalisation of libvirt events (monitors 7.2)', () => {
  test.each(cases)('%s', (_name, event, [id, type, detail]) => {
    expect(normalise(event)).toEqual({ id, type, detail })
  })

  test('IM-5 asks for all kinds that the reference asks for, and for memory failures', () => {
    expect([...WATCHED_EVENTS]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 9, 25])
    expect(cases.map(([, event]) => event.id)).toEqual([...WATCHED_EVENTS])
  })
})
