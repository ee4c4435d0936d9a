import { isJsonObject, type Json } from '../../core/json.ts'

/** What crosses the bridge: `{event_type, payload}`, unless others publish something else on its channel. */
export type BridgedEvent = Json

/** The type that an event names, for the log. */
export function eventTypeOf(event: BridgedEvent): string {
  const type = isJsonObject(event) ? event['event_type'] : undefined
  return typeof type === 'string' ? type : 'unknown'
}

/** @throws TypeError when one of the two members is missing or of the wrong kind */
export function readBridged(event: BridgedEvent): { eventType: string; payload: Json } {
  if (!isJsonObject(event)) throw new TypeError('it is not an object')
  const { event_type: eventType, payload } = event
  if (typeof eventType !== 'string') throw new TypeError('event_type is missing')
  if (payload === undefined) throw new TypeError('payload is missing')
  return { eventType, payload }
}
