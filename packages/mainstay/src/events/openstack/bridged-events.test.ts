import { describe, expect, test } from 'vitest'

import { ManualClock } from '../../core/clock.ts'
import { SystemIds } from '../../core/ids.ts'
import { MemoryEventLog } from '../memory/log.ts'
import { BridgedEventError, bridgedEvents } from './bridged-events.ts'

const TYPE = 'baremetal.node.power_set.end'
const PAYLOAD = { 'ironic_object.data': { name: 'node-1', uuid: 'u-1', power_state: 'power on' } }

describe('events of the bridge in our log (event-stream 7)', () => {
  /** Two nodes that hear the same channel. */
  function nodes(shared: boolean): { log: MemoryEventLog; nodes: ReturnType<typeof bridgedEvents>[] } {
    const clock = new ManualClock()
    const log = new MemoryEventLog({ clock })
    const ingest = {
      accept: async (events: Parameters<typeof log.append>[0]) => ({
        duplicates: (await log.append(events)).duplicates,
        spooled: false,
      }),
    }
    const node = (): ReturnType<typeof bridgedEvents> => bridgedEvents({ clock, ids: new SystemIds(), ingest, shared })
    return { log, nodes: [node(), node()] }
  }

  test('are mapped like those of the broker', async () => {
    const {
      log,
      nodes: [node],
    } = nodes(false)
    await node!.broadcastEventFromNotification(TYPE, PAYLOAD)
    expect(await log.read({ after: 0, limit: 1 })).toMatchObject([
      {
        event_type: TYPE,
        source: 'openstack',
        node_name: 'node-1',
        resource_id: 'u-1',
        canonical_service: 'ironic',
        data: { ...PAYLOAD, service_type: 'baremetal', resource_id: 'u-1' },
        occurred_at: '2026-01-01T00:00:00.000Z',
        severity: 'info',
      },
    ])
  })

  test('that two nodes hear are one in a log that they share, whatever the order of members', async () => {
    const {
      log,
      nodes: [one, other],
    } = nodes(true)
    await one!.broadcastEventFromNotification(TYPE, { a: 1, b: { c: 2, d: 3 } })
    await other!.broadcastEventFromNotification(TYPE, { b: { d: 3, c: 2 }, a: 1 })
    await other!.broadcastEventFromNotification(TYPE, { a: 2 })
    expect((await log.extent()).head).toBe(2)
  })

  test('that say the same twice are two where one node hears them', async () => {
    const {
      log,
      nodes: [node],
    } = nodes(false)
    await node!.broadcastEventFromNotification(TYPE, PAYLOAD)
    await node!.broadcastEventFromNotification(TYPE, PAYLOAD)
    expect((await log.extent()).head).toBe(2)
  })

  test('without an object for a payload are refused', async () => {
    const {
      nodes: [node],
    } = nodes(false)
    await expect(node!.broadcastEventFromNotification(TYPE, [1])).rejects.toThrow(BridgedEventError)
  })
})
