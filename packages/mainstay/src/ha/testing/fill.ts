import { isJsonObject, toJson, type Json, type JsonObject } from '../../core/json.ts'
import type { NotificationStatus } from '../records/notification.ts'
import { setNotificationStatus } from '../store/notifications.ts'
import type { RunningHa } from './start-ha.ts'

/** Records for tests, made through the API as a client makes them. */

export const SEGMENT = { name: 's1', recovery_method: 'auto', service_type: 'COMPUTE' }
export const HOST = { name: 'compute1', type: 'COMPUTE', control_attributes: 'SSH' }
export const FAILURE = {
  type: 'COMPUTE_HOST',
  hostname: 'compute1',
  generated_time: '2026-01-01T00:00:00',
  payload: { event: 'STOPPED', host_status: 'NORMAL', cluster_status: 'OFFLINE' },
}
/** What looks like an id, and is nobody's. */
export const NOBODY = '7c4c5b1e-1c52-4c0a-bd4d-2f1f5f3f0d11'

async function create(ha: RunningHa, path: string, name: string, body: object): Promise<JsonObject> {
  const answer = await ha.send('POST', path, { version: '1.3', body: { [name]: body } })
  if (answer.status >= 300) throw new Error(`POST ${path} was answered ${answer.status}: ${answer.text}`)
  return member(answer.json, name)
}

export async function addSegment(ha: RunningHa, more: object = {}): Promise<string> {
  return textOf(await create(ha, '/v1/segments', 'segment', { ...SEGMENT, ...more }), 'uuid')
}

export async function addHost(ha: RunningHa, segment: string, more: object = {}): Promise<string> {
  return textOf(await create(ha, `/v1/segments/${segment}/hosts`, 'host', { ...HOST, ...more }), 'uuid')
}

export async function addNotification(ha: RunningHa, more: object = {}): Promise<string> {
  return textOf(await create(ha, '/v1/notifications', 'notification', { ...FAILURE, ...more }), 'notification_uuid')
}

export async function setStatus(ha: RunningHa, notification: string, status: NotificationStatus): Promise<void> {
  await ha.store.write(async (queries) => {
    await setNotificationStatus(queries, notification, status, { nowMs: ha.clock.now() })
  })
}

/** The object under a name. */
export function member(json: Json, name: string): JsonObject {
  const found = isJsonObject(json) ? json[name] : undefined
  if (!isJsonObject(found)) throw new Error(`There is no ${name} in ${toJson(json)}.`)
  return found
}

/** The objects of a list, by one of their members. */
export function column(json: Json, list: string, name: string): unknown[] {
  const found = isJsonObject(json) ? json[list] : undefined
  if (!Array.isArray(found)) throw new Error(`There is no ${list} in ${toJson(json)}.`)
  return found.map((each: Json) => (isJsonObject(each) ? each[name] : undefined))
}

/** The text under a name. */
export function textOf(object: JsonObject, name: string): string {
  const text = object[name]
  if (typeof text !== 'string') throw new Error(`There is no text ${name} in ${toJson(object)}.`)
  return text
}
