import { describe, expect, test } from 'vitest'

import { type JsonObject } from '../../core/json.ts'
import { objectData } from './baremetal-events.ts'
import { fakeBaremetal, PAYLOAD, POWER, POWERED } from './testing/fake-inventory.ts'

const PROVISIONED = [['provision', 'node-1', 'active']]

describe('what the inventory is told (event-stream 8.4)', () => {
  test.each<[string, string, unknown[][]]>([
    ['E-115 E-128', 'baremetal.node.power_set.end', POWERED],
    ['E-116 E-129', 'baremetal.node.power_state_corrected.success', POWERED],
    ['E-117 E-130', 'baremetal.node.maintenance_set.end', [['maintenance', 'node-1', { state: true }]]],
    ['E-118 E-131', 'baremetal.node.provision_set.start', PROVISIONED],
    ['E-119 E-132', 'baremetal.node.provision_set.end', PROVISIONED],
    ['E-120 E-133', 'baremetal.node.provision_set.success', PROVISIONED],
    [
      'E-121 E-134',
      'baremetal.node.delete.end',
      [
        ['provision', 'node-1', null],
        ['power', 'node-1', null],
      ],
    ],
    ['E-122 E-135', 'baremetal.node.create.end', [...PROVISIONED, ...POWERED]],
    ['E-125 five segments', 'baremetal.node.power_set.end.again', POWERED],
  ])('%s %s', async (_case, eventType, calls) => {
    const { events, tasks } = fakeBaremetal()
    expect(events.handlerFor(eventType)).toBeDefined()
    await events.handle(eventType, PAYLOAD)
    expect(tasks.calls).toEqual(calls)
  })

  test.each([
    ['E-123 an unknown leaf', 'baremetal.node.power_set.start'],
    ['E-124 an unknown branch', 'baremetal.port.create.end'],
    ['E-126 three segments', 'baremetal.node.power_set'],
  ])('%s, %s, asks for nothing', async (_case, eventType) => {
    const { events, tasks, log } = fakeBaremetal()
    expect(events.handlerFor(eventType)).toBeUndefined()
    await events.handle(eventType, PAYLOAD)
    await events.handle(eventType, {})
    expect(tasks.calls).toEqual([])
    expect(log.at('info')).toEqual([`${eventType} ## node-1`, `${eventType} ## unknown`])
  })

  test.each<[string, JsonObject]>([
    ['nothing', {}],
    ['null', { 'ironic_object.data': null }],
    ['a list', { 'ironic_object.data': [] }],
  ])('E-127 %s is no object data', async (_what, payload) => {
    expect(() => objectData(payload)).toThrow(TypeError)
    await expect(fakeBaremetal().events.handle(POWER, payload)).rejects.toThrow(TypeError)
  })

  test('a node without a name is refused, and a state that is none is not known', async () => {
    const { events, tasks } = fakeBaremetal()
    await expect(events.handle(POWER, { 'ironic_object.data': {} })).rejects.toThrow('the node has no name')
    await events.handle(POWER, { 'ironic_object.data': { name: 'node-2', power_state: 7 } })
    expect(tasks.calls).toEqual([['power', 'node-2', null]])
  })
})
