import { isJsonObject, type JsonObject } from '../../core/json.ts'
import { serviceOf } from '../filter/index.ts'
import { namesInObjectData } from '../openstack/object-data.ts'
import { EventMessage, type EventStamp } from './event-message.ts'

/**
 * The message that a notification becomes. The payload is not changed: the message holds a copy with `service_type` and
 * `resource_id` added, which shares what is nested in it.
 *
 * Source: event-stream.md section 4.
 *
 * @throws TypeError when the payload, or the object that its service keeps in it, is no plain object
 */
export function notificationMessage(eventType: string, payload: unknown, stamp?: EventStamp): EventMessage {
  if (!isPlainObject(payload)) throw new TypeError('the payload is not an object')
  const serviceType = serviceOf(eventType)
  const names = namesInObjectData(serviceType, payload)
  if (names === undefined) throw new TypeError(`the ${serviceType} object in the payload is not an object`)
  const data = { ...payload, service_type: serviceType, resource_id: names.resourceId }
  return new EventMessage(eventType, 'openstack', data, names.nodeName, stamp)
}

function isPlainObject(value: unknown): value is JsonObject {
  if (!isJsonObject(value)) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
