import { describe, expect, test } from 'vitest'

import { type JsonObject } from '../../core/json.ts'
import { eventInfo } from './event-info.ts'
import { PAYLOAD, POWER } from './testing/fake-inventory.ts'

describe('what the debug log says of an event (event-stream 8.3)', () => {
  const NOVA = { uuid: 'u', host: 'c-1', state: 'active', task_state: null, image_uuid: 'x' }

  test.each<[string, string, JsonObject, JsonObject]>([
    ['E-162', POWER, PAYLOAD, { name: 'node-1', provision_state: 'active', power_state: 'power on' }],
    [
      'E-163',
      'compute.instance.update',
      { 'nova_object.data': NOVA },
      { uuid: 'u', host: 'c-1', state: 'active', task_state: null },
    ],
    ['E-163', 'nova.instance.update', {}, { uuid: null, host: null, state: null, task_state: null }],
    ['E-164', 'network.create.end', { network: { id: 'n' } }, { service: 'neutron' }],
    ['E-164', 'neutron.port.update', {}, { service: 'neutron' }],
    ['E-165', 'volume.create.end', {}, { service: 'volume' }],
    ['E-165', 'image.upload', {}, { service: 'image' }],
    ['E-166', '', {}, { service: 'unknown' }],
  ])('%s %s', (_case, eventType, payload, info) => {
    expect(eventInfo(eventType, payload)).toEqual(info)
  })
})
