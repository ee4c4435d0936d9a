import { isJsonObject, type JsonObject } from '../../core/json.ts'
import { serviceOf } from '../filter/index.ts'

/**
 * The few facts of a notification that are worth a line in the debug log.
 *
 * Source: event-stream.md 8.3.
 */
export function eventInfo(eventType: string, payload: JsonObject): JsonObject {
  switch (serviceOf(eventType)) {
    case 'baremetal':
      return pick(payload['ironic_object.data'], ['name', 'provision_state', 'power_state'])
    case 'compute':
    case 'nova':
      return pick(payload['nova_object.data'], ['uuid', 'host', 'state', 'task_state'])
    case 'network':
    case 'neutron':
      return { service: 'neutron' }
    default:
      return { service: serviceOf(eventType) }
  }
}

function pick(data: unknown, names: readonly string[]): JsonObject {
  const object = isJsonObject(data) ? data : {}
  return Object.fromEntries(names.map((name) => [name, object[name] ?? null]))
}
