import { toJson, type JsonObject } from '../../../core/json.ts'

/** What a test changes of a notification. */
export type NotificationMembers = { readonly [member: string]: unknown }

/** A notification as oslo.messaging makes it, before it is put on the wire. */
export function notification(members: NotificationMembers = {}): JsonObject {
  return {
    message_id: '0a3b4c1e-7d0f-4b83-9a53-66b6b1a1c001',
    publisher_id: 'ironic-conductor.node-1',
    event_type: 'baremetal.node.power_set.end',
    priority: 'INFO',
    timestamp: '2026-11-21 09:10:11.123456',
    payload: { 'ironic_object.data': { name: 'node-1', uuid: 'u-1', power_state: 'power on' } },
    ...members,
  }
}

/** The body of a message in format 2.0. */
export function body(members: NotificationMembers = {}): Buffer {
  return Buffer.from(toJson({ 'oslo.version': '2.0', 'oslo.message': toJson(notification(members)) }))
}
