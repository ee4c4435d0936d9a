import { isJsonObject, type JsonObject } from '../../core/json.ts'
import { serviceOf } from '../filter/index.ts'
import { firstText } from './first-text.ts'
import { NO_NAMES, namesInObjectData, type EventNames } from './object-data.ts'

/** Reads names where one service puts them. `resource` is the first segment of the type. */
type Reading = (payload: JsonObject, resource: string) => EventNames

const READINGS: ReadonlyMap<string, Reading> = new Map<string, Reading>([
  ['nova', novaNames],
  ['neutron', neutronNames],
  ['cinder', cinderNames],
  ['glance', (payload) => names(payload, ['name'], ['id'])],
  ['keystone', keystoneNames],
  ['masakari', masakariNames],
])

/**
 * Node name and resource of an event: as the reference reads them, and what that does not find where the services
 * really put it. Never throws.
 *
 * Source: event-stream.md section 4 and 8.6 (extraction fallbacks).
 *
 * @param service the canonical service
 */
export function eventNames(eventType: string, payload: JsonObject, service: string): EventNames {
  const resource = serviceOf(eventType)
  const found = namesInObjectData(resource, payload) ?? NO_NAMES
  if (found.nodeName !== null && found.resourceId !== null) return found
  const fallback = READINGS.get(service)?.(payload, resource) ?? NO_NAMES
  return {
    nodeName: found.nodeName ?? fallback.nodeName,
    resourceId: found.resourceId ?? fallback.resourceId,
  }
}

function novaNames(payload: JsonObject): EventNames {
  const data = payload['nova_object.data']
  return isJsonObject(data)
    ? names(data, ['host', 'display_name', 'name'], ['uuid'])
    : names(payload, ['host', 'display_name'], ['instance_id'])
}

/** `{ "port": { … } }`; a delete carries `port_id`, the start of an update `id` beside what is going to change. */
function neutronNames(payload: JsonObject, resource: string): EventNames {
  const data = payload[resource]
  const found = isJsonObject(data) ? names(data, ['name', 'device_id', 'binding:host_id'], ['id']) : NO_NAMES
  return { nodeName: found.nodeName, resourceId: found.resourceId ?? firstText(payload, [`${resource}_id`, 'id']) }
}

/** A snapshot and a backup carry the id of their volume too: their own comes first. */
function cinderNames(payload: JsonObject, resource: string): EventNames {
  return names(payload, ['display_name', 'host'], [`${resource}_id`, 'volume_id', 'snapshot_id', 'backup_id'])
}

function keystoneNames(payload: JsonObject): EventNames {
  const { target } = payload
  const found = isJsonObject(target) ? names(target, ['name'], ['id']) : NO_NAMES
  return { nodeName: found.nodeName, resourceId: found.resourceId ?? firstText(payload, ['resource_info']) }
}

function masakariNames(payload: JsonObject): EventNames {
  const data = payload['masakari_object.data']
  return isJsonObject(data) ? names(data, ['name', 'hostname'], ['uuid', 'notification_uuid']) : NO_NAMES
}

function names(data: JsonObject, node: readonly string[], resource: readonly string[]): EventNames {
  return { nodeName: firstText(data, node), resourceId: firstText(data, resource) }
}
