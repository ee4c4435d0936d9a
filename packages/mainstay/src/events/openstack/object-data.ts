import { isJsonObject, type JsonObject } from '../../core/json.ts'
import { firstText } from './first-text.ts'

/** What an event is about. */
export interface EventNames {
  readonly nodeName: string | null
  readonly resourceId: string | null
}

export const NO_NAMES: EventNames = { nodeName: null, resourceId: null }

interface Place {
  /** The payload's member that holds the object; the dot belongs to its name. */
  readonly key: string
  readonly node: readonly string[]
  readonly resource: readonly string[]
}

const NOVA: Place = { key: 'nova_object.data', node: ['host', 'name'], resource: ['uuid'] }
const NEUTRON: Place = { key: 'neutron_object.data', node: ['name', 'device_id'], resource: ['id', 'uuid'] }

/** By service type, the first segment of an event's type. */
const PLACES: ReadonlyMap<string, Place> = new Map([
  ['baremetal', { key: 'ironic_object.data', node: ['name'], resource: ['uuid'] }],
  ['compute', NOVA],
  ['nova', NOVA],
  ['network', NEUTRON],
  ['neutron', NEUTRON],
  ['volume', { key: 'cinder_object.data', node: ['name', 'display_name'], resource: ['id', 'uuid'] }],
  ['image', { key: 'glance_object.data', node: ['name'], resource: ['id', 'uuid'] }],
  ['identity', { key: 'keystone_object.data', node: ['name'], resource: ['id', 'uuid'] }],
])

/**
 * Node name and resource of an event as the reference reads them; both null when the service is not known or its object
 * is missing.
 *
 * Source: event-stream.md section 4.
 *
 * @returns undefined when the object is there and is no object
 */
export function namesInObjectData(serviceType: string, payload: JsonObject): EventNames | undefined {
  const place = PLACES.get(serviceType)
  if (place === undefined || !Object.hasOwn(payload, place.key)) return NO_NAMES
  const data = payload[place.key]
  if (!isJsonObject(data)) return undefined
  return { nodeName: firstText(data, place.node), resourceId: firstText(data, place.resource) }
}
